# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] lang="ja"
# # 12 QLoRA：4ビットのベースで学習する
#
# LoRAで学習するのは小さな行列だけなのに、凍ったベースは16ビットのまま、メモリの大半を占めています。**QLoRA** は、そのベースを4ビットで持ちます。この章では、1ブロックの重みがどうなるのかを絵で見て、16・8・4ビットの大きさと誤差を並べ、同じ行でLoRAと学習を比べます。最後に、できたアダプターを**どこへマージすると壊れるのか**を実演します。bitsandbytesはいまではCPUでも動くので、GPUは要りません。
#
# | | |
# | --- | --- |
# | 目標 | NF4と二重量子化を式と絵で説明できる。4ビットで得るものと払うものを測れる。マージの落とし穴を避けられる |
# | 時間 | 25分 |
# | 使うもの | ベースモデル、お店の学習データ、bitsandbytes |
# | できるもの | LoRAとQLoRAのアダプター、大きさと損失の表 |

# %% [markdown] lang="en"
# # 12 QLoRA: training on a base in 4 bits
#
# LoRA trains small matrices, yet the frozen base keeps its 16 bits and most of the memory. **QLoRA** holds that base in 4. This chapter looks at what becomes of one block of weights, puts sizes and errors of 16, 8 and 4 bits side by side, and trains with and without on the same rows. Then it shows **where merging the adapter breaks it**. bitsandbytes runs on a CPU by now, so no GPU is needed.
#
# | | |
# | --- | --- |
# | Goal | Explain NF4 and double quantization by a formula and a picture; measure what 4 bits give and take; stay clear of the traps of merging |
# | Minutes | 25 |
# | Comes in | A base model, the shop's training rows, bitsandbytes |
# | Goes out | A LoRA and a QLoRA adapter, tables of sizes and losses |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、行の数、言語です。GPUがあれば、大きなモデルの名前にしても同じセルで動くはずですが、ここでは測定していません。

# %% [markdown] lang="en"
# Model, number of rows and language can be changed. With a GPU the same cells should run a larger model; that was not measured here.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 1ブロックの重みを見る
#
# 手順は `07_quantization` の素朴な量子化とほとんど同じです。重みを64個ずつの**ブロック**に分け、絶対値のいちばん大きな重みをスケールにして、どの重みもいちばん近い目盛りに移します。違うのは目盛りの並びです。NF4の16本の目盛りは等間隔ではなく、正規分布の重みならどの目盛りもだいたい同じ数だけ使われるように、**0の近くで細かく**並んでいます。

# %% [markdown] lang="en"
# ## Look at one block of weights
#
# It works almost like the plain quantization of `07_quantization`. Weights go into **blocks** of 64, the largest of a block sets its scale, and each weight moves to the nearest level. What differs is where the levels lie. The 16 levels of NF4 are not evenly spaced: they are **closer around zero**, so that with weights from a normal distribution each level is used about equally often.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import choose_device, load_model, nf4_block, plain_weights

LAYER = "model.layers.0.mlp.down_proj"
cpu = choose_device("cpu")
W = plain_weights(load_model(MODEL, cpu).get_submodule(LAYER))
block = nf4_block(W, 10)
print(f"{len(block.weights)} weights, scale {block.scale:.4f}, codes {block.codes[:8]} …")
print("levels:", " ".join(f"{level:.2f}" for level in block.levels))

# %% tags=["nbval-ignore-output"]
from workshop_helpers import nf4_picture

nf4_picture(block, LANGUAGE)

# %% [markdown] lang="ja"
# 下の図で、オレンジの重みが青い目盛りへ移ります。上は、目盛りごとの重みの数です。保存されるのは、0から15の番号（4ビット）と、スケール1つだけです。両端の目盛りは、ブロックでいちばん大きな重みのためにあります。
#
# ## スケールも量子化する
#
# スケールは32ビットの数なので、64個で分けると重み1つあたり0.5ビットになります。**二重量子化**は、スケールを256個ずつ集めて、それを8ビットに丸めます。

# %% [markdown] lang="en"
# Below, the orange weights move to the blue levels; above, how many end at each. All that is stored are numbers from 0 to 15 (4 bits) and a single scale. The outermost levels are there for the largest weight of the block.
#
# ## The scales are quantized, too
#
# A scale is a number of 32 bits, which among 64 weights makes 0.5 bits for each. **Double quantization** takes 256 scales together and rounds them to 8 bits.

# %%
plain = 4 + 32 / 64
double = 4 + 8 / 64 + 32 / (64 * 256)
print(f"{plain:.3f} → {double:.3f} bits a weight: {plain - double:.3f} less")
print(f"of 6.74e9 weights: {(plain - double) * 6.74e9 / 8 / 1e9:.2f} GB")

# %% [markdown] lang="ja"
# 数えるだけでなく、実物を測ります。同じモデルを4通りに読み込み、重みが実際に占めるバイト数と、1つの行列が元からどれだけずれたか（平均）を並べます。transformersの `get_memory_footprint` はスケールを数えないので、二重量子化をしてもしなくても同じ値になります。ここではスケールも入れて数えています。

# %% [markdown] lang="en"
# That was arithmetic; now the real thing. The same model, loaded in four ways: the bytes its weights take, and how far (on average) one matrix is from the original. transformers' `get_memory_footprint` leaves the scales out, so that it shows the same figure with and without double quantization. Here they are counted.

# %%
from workshop_helpers import held_bytes, load_quantized

held = []
for kind in ("bf16", "int8", "nf4", "nf4_double"):
    model = load_quantized(MODEL, cpu, kind)
    moved = (plain_weights(model.get_submodule(LAYER)) - W).abs().mean().item()
    held.append({"kind": kind, "held_bytes": held_bytes(model), "moved": moved})

# %% tags=["nbval-ignore-output"]
from workshop_helpers import figures_table

figures_table("12", held, LANGUAGE)

# %% [markdown] lang="ja"
# 4ビットなのに4分の1にならないのは、語彙の表（埋め込み）と正規化の層が16ビットのまま残るからです。小さなモデルほど、その割合が大きくなります。大きめのモデルとして、SmolLM2（134,515,008個の重み）で測った記録も見ます。LoRAの数歩を、それぞれ新しいプロセスで学習したものです。

# %% [markdown] lang="en"
# Four bits do not make it a quarter, because the vocabulary table (the embedding) and the norms stay in 16. The smaller the model, the more that counts. So here is also a record of SmolLM2 (134,515,008 weights): a few steps of LoRA, each in a process of its own.

# %%
from workshop_helpers import CATALOGUE, measured

print(f"{CATALOGUE['smollm2'].parameters:,}")
measured("12_qlora", "held", LANGUAGE)

# %% [markdown] lang="ja"
# 重みは269.0MBから、NF4で116.4MBに減りました。二重量子化は、そこからさらに数MBです。ところが、最大メモリは8割以上残っています。行4つの活性値と、語彙の数だけあるロジットが、残りを占めるからです。**QLoRAが大きく効くのは、重みがメモリの大半を占めるとき**、つまり大きなモデルを短い行で学習するときです。
#
# 1歩のCPU時間は、ここでは4ビットでも増えていません（復元の手間は行列の積に比べて小さく、値は混み具合で揺れます）。GPUではふつう遅くなりますが、ここでは測定していません。この表は品質については何も言いません。このSmolLM2の重みは、もともと別の4ビット形式から復元したものだからです。

# %% [markdown] lang="en"
# The weights went from 269.0 MB to 116.4 MB in NF4, and double quantization takes off some more. Yet more than eight tenths of the peak memory are still there: the activations of four rows, and logits as many as the vocabulary is large, make up the rest. **QLoRA pays where the weights are most of the memory**, that is with a large model and short rows.
#
# The CPU time of a step did not grow with 4 bits here (restoring is little work beside the matrix products, and the figures move with what else the machine does). On a GPU it usually gets slower; that was not measured here. And the table says nothing of quality, since the weights of this SmolLM2 were restored from another 4-bit type.

# %% [markdown] lang="ja"
# ## 同じ行で学習する
#
# レシピの違いは `method="qlora"` だけです。コマンドなら `workshop train --method qlora …` です。

# %% [markdown] lang="en"
# ## Train on the same rows
#
# The recipes differ in `method="qlora"` alone; as a command it is `workshop train --method qlora …`.

# %% tags=["needed", "nbval-ignore-output", "timed"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
lora = LoraRecipe.for_model(MODEL).replace(epochs=5)
recipes = {"lora": lora, "qlora": lora.replace(method="qlora")}
trained = {
    name: train(MODEL, shop.train[:ROWS], runs / f"12-{name}", recipe, progress=False)
    for name, recipe in recipes.items()
}
print({name: f"{report.seconds:.1f} s" for name, report in trained.items()})

# %% tags=["nbval-ignore-output"]
from workshop_helpers import loss_curve

loss_curve(trained)

# %% [markdown] lang="ja"
# 片方は丸めたベースから始まるので、出だしの高さは少し違います。そのあと、2本の曲線はほとんど重なります。事実はどうでしょうか。ここでは、どちらのアダプターも**16ビットのベース**に載せて、学習していない質問に答えさせます。

# %% [markdown] lang="en"
# One of them starts from a rounded base, so they do not start at quite the same height; then the curves run almost together. And the facts? Here both adapters sit on the **base in 16 bits** and answer questions that were not trained on.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import compare

asked = compare(trained, shop.questions, progress=False)
rows = [{"method": row.label, "facts_share": row.summary.recall} for row in asked.rows]
figures_table("12", rows, LANGUAGE)

# %% [markdown] lang="ja"
# シード1つの学習なので、この表の差は、4ビットの良し悪しではなく、ゆれとして読んでください。
#
# ## どこへマージするか
#
# できたアダプターは、4ビットのベースの上で学習したものです。使い方はいくつかあります。学習に使っていない行の答えの損失で比べます（小さいほど良い値です）。どの行も、モデルを読み込み直してから測っています。

# %% [markdown] lang="en"
# This is one seed: read the difference in this table as scatter, not as what 4 bits are worth.
#
# ## Where to merge
#
# This adapter was trained on a base in 4 bits. There are several ways to use it. They are compared by the loss of answers of rows that were not trained on (the smaller, the better). Every line loads the model anew.

# %%
from workshop_helpers import merge_ways

ways = merge_ways(trained["qlora"].adapter, shop.train[-60:])
losses = {row["way"]: row["loss"] for row in ways}

# %% tags=["nbval-ignore-output"]
figures_table("12", ways, LANGUAGE)

# %% [markdown] lang="ja"
# - **16ビットのベース**に載せても、マージしても、学習したとき（4ビットのベース）とほとんど同じです。4ビットの丸めを埋め合わせるように学習した分が、ほんの少し合わなくなるだけです。
# - **4ビットへのマージ**は、それより悪くなります。足した変化ごと、もう一度16段階に丸められるからです。小さな変化は、隣の目盛りに届かずに消えます。
# - **一度答えたあとに4ビットへマージ**すると、学習していないベースよりずっと悪くなります。それでもエラーも警告も出ません（この行は、下で説明するプロセッサでだけ測れます。ほかでは「–」です）。

# %% [markdown] lang="en"
# - On **the base in 16 bits**, beside it or merged, the adapter does almost as well as where it was trained, in 4 bits. All that is lost is the part that had learned to make up for the rounding.
# - **Merged into 4 bits** it does worse. The change is rounded to 16 levels together with the weights, and where it does not reach the next level it is gone.
# - **Merged into 4 bits after an answer**, the model is far worse than the base that never learned a thing. There is no error and no warning. (That line can only be measured on the processors described below; elsewhere it is "–".)

# %% [markdown] lang="ja"
# ## 答えたあとの重みは、並び順が違う
#
# 最後の行は何が起きたのでしょうか。AVX512-BF16のあるプロセッサでは、bitsandbytes 0.50.2は、4ビットの層が初めて推論に使われるときに、速く計算できるよう重みを**その場で並べ替えます**。層として答える分には正しいのですが、そのあと重みを取り出したり、マージしたりすると、別の重みになります。エラーは出ません。元の重みとの相関で見ます。

# %% [markdown] lang="en"
# ## After an answer the weights stand in another order
#
# What happened in the last line? On a processor with AVX512-BF16, bitsandbytes 0.50.2 **puts the weights of a 4-bit layer into another order, in place**, at its first inference, to compute faster. The layer goes on answering correctly, but whoever takes its weights out afterwards, or merges, gets other weights. There is no error. Look at the correlation with the original:

# %% tags=["nbval-ignore-output"]
import numpy as np
import torch
from bitsandbytes.functional import dequantize_4bit

model = load_quantized(MODEL, cpu, "nf4_double")
weight = model.get_submodule(LAYER).weight
for when in ("fresh", "after an answer"):
    taken = dequantize_4bit(weight.data, weight.quant_state).float()
    print(f"{when:16}", round(float(np.corrcoef(taken.flatten(), W.flatten())[0, 1]), 3))
    with torch.no_grad():
        model(torch.tensor([[1, 2, 3]]))

# %% [markdown] lang="ja"
# このコースの関数は、並べ替えられた層から重みを取り出そうとすると断ります。`merge` は、いつも16ビットのベースを新しく読み込みます。

# %% [markdown] lang="en"
# This course's own function refuses to take weights out of a layer in that state, and `merge` always loads the base anew, in 16 bits.

# %% tags=["nbval-ignore-output"]
try:
    plain_weights(model.get_submodule(LAYER))
    print("This processor does not reorder.")
except Exception as refused:
    print(refused)

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import merge

merged = merge(trained["qlora"].adapter, runs / "12-merged")
print(f"to adapter {merged.difference_to_adapter:.3f}, to base {merged.difference_to_base:.1f}")

# %% [markdown] lang="ja"
# マージしたモデルのロジットは、アダプターとほとんど同じで、ベースとは大きく違います。ここから先（GGUF、量子化、Ollama）は `06_merge_and_gguf` と同じです。
#
# ## 記事の数字を直す
#
# - 「65Bが48GB（24GBのGPU2枚）で学習できる」（長いガイドからの引用）は、元の論文（arXiv:2305.14314）では**48GBのGPU1枚**です。
# - 「7Bなら6〜8GB」（引用）は、上の計算と合います。ベースは4.127ビットで3.5GBほど、アダプターとその勾配・Adam、活性値を足した値です。
# - 「LoRAの重みはbfloat16で保持する」（引用）は論文のとおりで、TRLもそうします。ただし16ビットの値は、小さな歩みを丸めて失うことがあります。このコースの `train` は、LoRAと同じ32ビットで学習します。
# - 記事のコードにある `paged_adamw_32bit` はCUDA専用です。`max_seq_length` や `tokenizer=` は、いまのTRLにはありません（`max_length`、`processing_class`）。
#
# ## 経験則
#
# 1. **16ビットのベースがメモリに入るなら、ふつうのLoRAで始めます。** 入らないときがQLoRAの出番です。SmolLM2では、重みは半分以下になっても、最大メモリは15%しか減りませんでした。
# 2. **二重量子化は付けておきます。** 重み1つあたり0.373ビットが浮き、`mame` では行列のずれもほとんど変わりませんでした。
# 3. **マージは16ビットのベースへ、読み込み直してから。** 4ビットのモデルは、学習の足場として使い捨てます。
#
# 根拠は、この章の表と `mame` での1回ずつの学習です。大きなモデルの4ビットでどれだけ事実が失われるかは、ここでは測定していません。

# %% [markdown] lang="en"
# The merged model's logits are close to the adapter's and far from the base's. From here on (GGUF, quantization, Ollama) it is as in `06_merge_and_gguf`.
#
# ## The guide's figures, mended
#
# - "65B trains in 48 GB (two GPUs of 24 GB)", quoted from the long guide, is **one GPU of 48 GB** in the paper (arXiv:2305.14314).
# - "6 to 8 GB for 7B" (quoted) agrees with the arithmetic: the base takes about 3.5 GB at 4.127 bits; the adapter with its gradients and Adam, and the activations, make up the rest.
# - "LoRA's weights are kept in bfloat16" (quoted) is what the paper does, and TRL does it, too. But values of 16 bits can lose small steps to rounding. This course's `train` keeps them in 32 bits, as in LoRA.
# - `paged_adamw_32bit` in the guide's code is for CUDA alone, and today's TRL has neither `max_seq_length` nor `tokenizer=` (they are `max_length` and `processing_class`).
#
# ## Rule of thumb
#
# 1. **If the base fits into memory in 16 bits, begin with plain LoRA.** QLoRA is for when it does not. With SmolLM2 the weights shrank to less than half, and the peak memory by 15 % only.
# 2. **Leave double quantization on.** It saves 0.373 bits a weight, and with `mame` the error of a matrix hardly changed.
# 3. **Merge into the base in 16 bits, loaded anew.** The model in 4 bits is scaffolding: throw it away.
#
# This rests on the tables of this chapter and single trainings of `mame`. How many facts a large model loses in 4 bits was not measured here.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて、下のセルで確かめてください。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and check it with the cell below.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("12", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：1つ復元する** ブロックの `place` 番目の重みを、番号（`block.codes`）、目盛り（`block.levels`）、スケール（`block.scale`）から復元してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: restore one** Restore the weight at `place` of the block from its code (`block.codes`), the levels (`block.levels`) and the scale (`block.scale`).

# %% tags=["exercise"]
place = 5
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
place = 5
answer = block.scale * block.levels[block.codes[place]]
answer

# %% tags=["check"]
pitfalls = {block.levels[block.codes[place]]: "restore-scale"}
pitfalls[block.weights[place]] = "restore-original"
exercises.check("restore", answer, block.restored[place], within=1e-6, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：ブロックを大きくすると** ブロックを64個ではなく128個にします。二重量子化をしないとき、重み1つあたり何ビットになりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: larger blocks** Make the blocks 128 weights instead of 64. Without double quantization, how many bits is that for each weight?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 4 + 32 / 128
answer

# %% tags=["check"]
pitfalls = {
    4 + 32 / 64: "larger-64",
    4 + 8 / 128 + 32 / (128 * 256): "larger-double",
    4: "larger-scale",
}
exercises.check("larger", answer, 4 + 32 / 128, within=1e-6, pitfalls=pitfalls)

# %% [markdown] lang="ja"
# ## まとめ
#
# - NF4は、ブロックごとのスケールと、0の近くで細かい16の目盛りです。
# - 減るのは重みのメモリです。活性値やロジット、アダプターの勾配は、そのままです。
# - 同じ行なら、QLoRAの損失はLoRAとほとんど重なります。
# - 答えたあとの4ビットの重みは、並び順が違うことがあります。取り出す前、マージする前に、必ず読み込み直します。

# %% [markdown] lang="en"
# ## In short
#
# - NF4 is a scale for each block, and 16 levels that are closer around zero.
# - It is the memory of the weights that shrinks. Activations, logits and the adapter's gradients stay as they are.
# - On the same rows QLoRA's loss runs almost on LoRA's.
# - After an answer the weights in 4 bits may stand in another order. Load anew before you take them out or merge.

# %% tags=["closing"]
sizes = [row["held_bytes"] for row in held]
assert sizes == sorted(sizes, reverse=True)
assert held[1]["moved"] < held[2]["moved"]
assert losses["as_trained"] < losses["base"] and losses["merged_16"] < losses["base"]
assert losses["merged_16"] < losses["merged_4"]
if losses["merged_after_answering"] is not None:
    assert losses["merged_after_answering"] > losses["merged_4"]
