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
# # 07 量子化する
#
# F16のモデルは、重み1つに16ビットを使っています。これを8ビット、4ビット、2ビット台まで減らすのが**量子化**です。ファイルは小さくなり、必要なメモリも減ります。では、賢さはどこまで残るのでしょうか。この章では、同じモデルを4つの大きさで用意し、同じ試験を受けさせます。

# %% [markdown] lang="en"
# # 07 Quantization
#
# An F16 model spends 16 bits on every weight. **Quantization** makes do with 8, with 4, with little more than 2. The file shrinks and so does the memory it needs. But how much of the model survives? In this chapter one model comes in four sizes, and all of them sit the same exam.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"
RUNS = "runs"
TYPES = ("Q8_0", "Q4_K_M", "Q2_K")

# %% [markdown] lang="ja"
# ここまでの道のりを一度に呼び出します。学習、マージ、変換。すでに作ってあるものは、そのまま返ってきます。

# %% [markdown] lang="en"
# The whole way so far in one cell: train, merge, convert. Whatever is there already comes straight back.

# %%
from workshop_helpers import LoraRecipe, Shop, convert, merge, train

shop = Shop(LANGUAGE)
tuned = train(MODEL, shop.train[:100], f"{RUNS}/tuned-100", LoraRecipe.for_model(MODEL))
merged = merge(tuned.adapter, f"{RUNS}/model")
f16 = convert(merged.model, f"{RUNS}/model-F16.gguf")

# %% [markdown] lang="ja"
# ## 量子化の仕組み
#
# いちばん素朴な量子化はこうです。重みを32個ずつの**ブロック**に分け、ブロックごとに目盛りの幅（スケール）を1つ決めて、それぞれの重みをいちばん近い目盛りに置き換えます。ビット数が目盛りの数を決めます。本物の重みで試してみましょう。

# %% [markdown] lang="en"
# ## How it works
#
# The plainest form goes like this. Cut the weights into **blocks** of 32, choose one step width (the scale) for each block, and move every weight to the nearest step. The number of bits says how many steps there are. Let us try it on real weights.

# %%
from workshop_helpers import choose_device, load_model

model = load_model(merged.model, choose_device("cpu"))
block = model.get_submodule("model.layers.0.self_attn.q_proj").weight.detach().float()[0, :32]


def on_steps(weights, bits):
    levels = 2 ** (bits - 1) - 1
    scale = weights.abs().max() / levels
    return (weights / scale).round() * scale


# %% tags=["nbval-ignore-output"]
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True, layout="constrained")
for axis, bits in zip(axes, (8, 4, 2), strict=True):
    axis.plot(block, "o", color="#7a8288", markersize=4)
    axis.step(range(32), on_steps(block, bits), where="mid", color="#3b82c4")
    axis.set_title(f"{bits} bit: ±{(on_steps(block, bits) - block).abs().mean():.4f}")

# %% [markdown] lang="ja"
# 点が元の重み、線が量子化した値、題名の数字は平均のずれです。ビットが減るほど目盛りが粗くなるのが見えます。
#
# llama.cppのQ4_K_MやQ2_Kは、もっと工夫しています。ブロックを入れ子にしてスケール自体も量子化し、大事な行列には多めのビットを割り当てます。名前の数字はあくまで目安なので、実際に何ビット使ったかを確かめます。
#
# ## 3種類に量子化する

# %% [markdown] lang="en"
# Dots are the weights, lines what became of them, and the title gives the mean error. The fewer bits, the coarser the steps.
#
# llama.cpp's Q4_K_M and Q2_K are cleverer than this: blocks are nested, the scales are quantized as well, and matrices that matter more get more bits. The digit in the name is only a hint, so look at the bits that were really used.
#
# ## Quantize to three types

# %%
from workshop_helpers import quantize

files = [f16, *(quantize(f16.path, kind) for kind in TYPES)]
for file in files:
    size, bits = file.size_bytes / 1e6, file.bits_per_weight
    print(f"{file.type:7} {size:6.2f} MB  {bits:5.2f} bits/weight  fallback: {len(file.fallback)}")

# %% [markdown] lang="ja"
# `fallback` は、指定した形式にできず別の形式になった行列の数です。K系の形式は、行の長さが256で割り切れないと使えません。`mame` はそうならない大きさに作ってあります。
#
# 講演で紹介された3Bモデルの大きさとも比べてみます。ここで測った「重み1つあたりのビット数」に30億個分を掛けると、だいたい同じ大きさになるでしょうか。

# %% [markdown] lang="en"
# `fallback` counts matrices that could not take the type they were meant to. K-types need rows whose length divides by 256, and `mame` was built so that they do.
#
# The talk gives file sizes for a 3B model. Take the bits per weight measured here, multiply by three billion weights: do we land near the talk's figures?

# %%
from workshop_helpers import CATALOGUE

talk = {"F16": 6, "Q8_0": 3.2, "Q4_K_M": 1.8, "Q2_K": 1.1}
weights = CATALOGUE["qwen2.5-3b"].parameters
for file in files:
    size = weights * file.bits_per_weight / 8 / 1e9
    print(f"{file.type:7} {size:4.1f} GB  talk: {talk.get(file.type)} GB")

# %% [markdown] lang="ja"
# ぴったり同じにならないのは、行列ごとに割り当てるビット数が違い、その割合がモデルの形によって変わるからです。
#
# ## 同じ試験を受けさせる
#
# 評価用の質問での再現率に加えて、もっと敏感なものさしも使います。学習に使わなかった100行の模範解答について、
#
# - **パープレキシティ**：模範解答をどれだけ意外に感じたか。小さいほど良い
# - **F16とのKLダイバージェンス**：次のトークンの確率分布が、F16からどれだけずれたか。0なら同じ
# - **最有力トークンの一致率**：いちばん確率の高いトークンがF16と同じだった割合

# %% [markdown] lang="en"
# They do not agree exactly: not every matrix gets the same number of bits, and how much of a model each kind of matrix makes up depends on the model.
#
# ## The same exam for all
#
# Besides fact recall on the held-out questions there are finer instruments. On the answers of 100 rows that were not trained on:
#
# - **perplexity**: how surprised the model is by the right answer; smaller is better
# - **KL divergence to F16**: how far the probabilities of the next token moved away from F16's; 0 means not at all
# - **same top token**: how often the likeliest token is the one F16 would choose

# %%
from workshop_helpers import quantization_table

held_out = shop.train[-100:]
table = quantization_table(f16.path, TYPES, shop.questions, held_out_conversations=held_out)

# %% tags=["nbval-ignore-output", "timed"]
table

# %% tags=["nbval-ignore-output"]
table.plot()

# %% [markdown] lang="ja"
# 左の図と右の図を見比べてください。しっかり覚えた事実は、多少丸めても崩れにくいものです。だから再現率だけを見ると「劣化なし」と言いたくなります。KLダイバージェンスは、答えの文字が変わる前から動き始めます。
#
# 速さは、この環境のCPU 1スレッドで測ったものです。ほかのプログラムが動いていれば変わりますし、環境が違えば順番まで入れ替わることもあります。大きさや品質の数字ほど、当てにしないでください。
#
# ## 同じ質問をしてみる
#
# 数字の次は、実際の答えです。4つのファイルに同じ質問をして、差の大きかったものから並べます。

# %% [markdown] lang="en"
# Compare the two panels. A well-learned fact survives a good deal of rounding, so recall alone tempts you to say "no loss at all". KL divergence starts to move long before a single letter of the answer does.
#
# The speeds were measured on one CPU thread of this machine. Another program at work changes them, and another machine may even change their order, so do not lean on them as you would on size and quality.
#
# ## The same question to each
#
# After the figures, the answers themselves. Four files get the same questions, and we look at those where they differ most.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import compare

answers = compare({file.type: file.path for file in files}, shop.questions)
answers.side_by_side(3)

# %% [markdown] lang="ja"
# F16と一字一句同じ答えだった割合も数えておきます。

# %% [markdown] lang="en"
# And how many answers are the same as F16's, letter for letter?

# %% tags=["nbval-ignore-output"]
reference = [answer.text for answer in answers.rows[0].answers]
for row in answers.rows:
    same = sum(answer.text == text for answer, text in zip(row.answers, reference, strict=True))
    print(f"{row.label:7} {same} / {len(reference)}")

# %% [markdown] lang="ja"
# ## どれを選ぶか
#
# 講演では、本番環境にはQ4_K_M、品質を優先するならQ8_0、メモリが足りないときだけQ2_K、という選び方が勧められています。上の表は、このモデルとこのデータでそれが当てはまるかどうかの答えです。モデルが変われば結果も変わります。大事なのは表を信じることではなく、**自分のモデルで同じ表を作ること**です。
#
# ## まとめ
#
# - 量子化は、重みを粗い目盛りに置き換えてファイルを小さくします。元には戻せないので、F16は取っておきます。
# - 名前の数字は目安です。本当のビット数と `fallback` を確かめます。
# - 再現率が同じでも、KLダイバージェンスは違います。両方を見て決めます。
#
# これで、10行の学習データから、手元で動く小さなモデルまでがつながりました。

# %% [markdown] lang="en"
# ## Which one to take
#
# The talk recommends Q4_K_M for production, Q8_0 where quality comes first, and Q2_K only when memory leaves no choice. The table above tells whether that holds for this model and this data. Another model will give another table. So do not take this table's word for it: **make the same table for your own model**.
#
# ## In short
#
# - Quantization moves weights onto a coarse grid to make the file small. There is no way back, so keep the F16.
# - The digit in the name is a hint. Look at the true bits per weight, and at `fallback`.
# - Where recall is equal, KL divergence need not be. Look at both before you decide.
#
# And that completes the way: from ten training rows to a small model that answers on your own machine.
