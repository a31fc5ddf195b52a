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
# # 11 LoRAとフルファインチューニング
#
# LoRAは、モデルの重みを凍らせたまま、横に小さな行列を足して学習します。では、重みを全部動かす**フルファインチューニング**と比べて、何を失い、何を得ているのでしょうか。同じ行で両方を学習し、覚えた事実、忘れたこと、かかる手間、メモリ、残すファイルの大きさを並べます。後半では、DoRA、rsLoRA、PiSSAという名前の付いた改良版を、同じ土俵に上げます。
#
# | | |
# | --- | --- |
# | 目標 | LoRAの層を自分で書ける。フル、LoRA、MLPだけのLoRAを、測った数字で選べる。「改良版」の話を、学習率をそろえて疑える |
# | 時間 | 30分 |
# | 使うもの | ベースモデル、お店の学習データ |
# | できるもの | 3つの手法で学習したモデルと、効果と代償の表 |

# %% [markdown] lang="en"
# # 11 LoRA and full fine-tuning
#
# LoRA freezes a model's weights and trains small matrices beside them. What does it give up, and what does it gain, against **full fine-tuning**, which moves every weight? Train both on the same rows, and put side by side what they learned, what they forgot, the time, the memory and the size of the file that you keep. Then the improvements with names of their own, DoRA, rsLoRA and PiSSA, enter the same ring.
#
# | | |
# | --- | --- |
# | Goal | Write a LoRA layer by hand; choose between full, LoRA and MLP-only LoRA by what was measured; doubt the tale of an improvement until the learning rates are fair |
# | Minutes | 30 |
# | Comes in | A base model, the shop's training rows |
# | Goes out | Models trained by three methods, and a table of what each gives and takes |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、学習に使う行の数、言語の3つです。

# %% [markdown] lang="en"
# The model, the number of training rows and the language are yours to change.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 3つの手法を、同じ行で
#
# レシピの違いは `method` だけです。`full` は全部の重み、`lora_all` は線形の層すべてにLoRA、`mlp` はMLPの3つの行列だけにLoRAを付けます。フルの学習率だけは別です。全部の重みが一度に動くので、LoRAと同じ歩幅では行き過ぎます（どれだけ違うかは、あとで測ります）。

# %% [markdown] lang="en"
# ## Three methods, the same rows
#
# The recipes differ in `method`. `full` trains every weight, `lora_all` puts a LoRA on every linear layer, `mlp` on the three matrices of the MLP alone. Only the learning rate of full training is another: with every weight moving at once, LoRA's stride goes too far (how much too far is measured below).

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
mlp = LoraRecipe.for_model(MODEL, "mlp").replace(epochs=5)
recipes = {
    "full": LoraRecipe.for_model(MODEL, "full").replace(epochs=5),
    "lora_all": mlp.replace(method="lora", target_modules=None),
    "mlp": mlp,
}

# %% tags=["needed"]
trained = {
    name: train(MODEL, shop.train[:ROWS], runs / f"11-{name}", recipe, progress=False)
    for name, recipe in recipes.items()
}
print({name: f"{report.losses[-1][0]} steps" for name, report in trained.items()})

# %% [markdown] lang="ja"
# できたものの種類が違います。LoRAは**アダプター**、フルは**モデルのフォルダー**を残します。コマンドなら `workshop train --method full …` です。フルのモデルは、マージ済みのモデルと同じように `workshop verify` や `workshop gguf` に渡せます。

# %% [markdown] lang="en"
# What comes out is not the same kind of thing: LoRA leaves an **adapter**, full training a **model folder**. As a command it is `workshop train --method full …`, and what it makes goes into `workshop verify` or `workshop gguf` just as a merged model does.


# %% tags=["needed"]
def kept(report):
    return sum(file.stat().st_size for file in report.adapter.glob("*.safetensors"))


for name, report in trained.items():
    print(f"{name:9} {kept(report):>10,}", sorted(f.name for f in report.adapter.glob("*.json")))

# %% tags=["nbval-ignore-output"]
from workshop_helpers import loss_curve

loss_curve(trained)

# %% [markdown] lang="ja"
# 学習データの損失は、どれもよく下がります。大事な違いは、曲線には写りません。
#
# ## LoRAの層を自分で書く
#
# その前に、足しているものを自分の手で確かめます。LoRAの層は、これで全部です。凍った $W$ の出力に、$A$ と $B$ を通した出力を、強さを掛けて足します。

# %% [markdown] lang="en"
# The training loss comes down well in all three. The differences that matter are not in the curves.
#
# ## A LoRA layer by hand
#
# But first see for yourself what it is that gets added. This is the whole of a LoRA layer: to the output of the frozen $W$ it adds what comes out of $A$ and then $B$, times a strength.

# %%
import torch


class LoraLayer(torch.nn.Module):
    def __init__(self, W, rank, scaling):
        super().__init__()
        self.W, self.scaling = W, scaling  # no Parameter: it does not learn
        self.A = torch.nn.Parameter(torch.randn(rank, W.shape[1]) / (3 * W.shape[1]) ** 0.5)
        self.B = torch.nn.Parameter(torch.zeros(W.shape[0], rank))

    def forward(self, x):
        return x @ self.W.T + self.scaling * (x @ self.A.T @ self.B.T)


# %% [markdown] lang="ja"
# いま学習したアダプターの $A$ と $B$ を入れて、PEFTの本物の層と比べます。出力も、学習を動かす勾配も、100万分の1まで同じです。

# %% [markdown] lang="en"
# Put in the $A$ and $B$ of the adapter just trained, and compare with PEFT's own layer. Both the output and the gradients, which drive the learning, agree to a millionth.

# %%
from workshop_helpers import choose_device, load_model, lora_matrices

of = lora_matrices(trained["mlp"].adapter)
mine = LoraLayer(of.W, of.rank, of.scale)
mine.A.data, mine.B.data = of.A, of.B
adapted = load_model(trained["mlp"].adapter, choose_device("cpu"))
peft = adapted.get_submodule(f"base_model.model.{of.layer}").requires_grad_(True)

x = torch.randn(4, of.W.shape[1], generator=torch.Generator().manual_seed(0)) / 10
print("output:", (mine(x) - peft(x)).abs().max().item() < 1e-6)
for layer in (mine, peft):
    layer(x).square().mean().backward()
pairs = {"A": peft.lora_A["default"], "B": peft.lora_B["default"]}
for name, other in pairs.items():
    print(f"gradient of {name}:", (getattr(mine, name).grad - other.weight.grad).abs().max() < 1e-6)

# %% [markdown] lang="ja"
# ガイド記事の疑似コードとは、1か所だけ違います。記事は $A$ を `torch.randn` のまま始めますが、PEFTは入力の数に応じて小さく始めます。どれだけ違うかは、演習1で確かめてください。
#
# ## 覚えたもの、忘れたもの、残るもの
#
# 学習していない質問で事実を、お店と関係のない質問で忘却を測ります。

# %% [markdown] lang="en"
# It differs from the sketch of the long guide in one place: there $A$ starts as plain `torch.randn`, while PEFT starts it smaller, by the number of inputs. Exercise 1 asks how much smaller.
#
# ## Learned, forgotten, kept
#
# Facts are measured by questions that were not trained on, forgetting by questions that have nothing to do with the shop.

# %%
from workshop_helpers import compare, probe

models = {"base": MODEL, **trained}
asked = compare(models, shop.questions, progress=False)
facts = {row.label: row.summary.recall for row in asked.rows}
lost = probe(models, LANGUAGE, per_kind=20).shares

# %% tags=["nbval-ignore-output"]
from workshop_helpers import figures_table

names = {"general_share": "general_knowledge", "prompt_share": "facts_in_prompt"}
names["silence_share"] = "not_in_information"
table = [
    {"method": label, "facts_share": facts[label]}
    | {column: lost[label][kind] for column, kind in names.items()}
    for label in models
]
figures_table("11", table, LANGUAGE)

# %% [markdown] lang="ja"
# 事実は、動かす重みが多い手法ほど早く覚えました（5エポックでの話です。`mlp` も回数を増やせば追いつきます）。一方、忘却はどの手法でも起きていて、「フルはよく忘れ、LoRAは忘れにくい」という説明どおりにはなっていません。目立つのは右端の「でっち上げない」（書いていない数字を言わない）で、どの手法も大きく失い、注意機構に触れない `mlp` がいちばん残しています。20問ずつの1回の測定なので、1割ほどの差は読まないでください。

# %% [markdown] lang="en"
# The more weights a method moves, the sooner it knew the facts (after 5 epochs, that is; `mlp` gets there with more of them). Forgetting, on the other hand, happens with all of them, and not as the saying goes, that full training forgets and LoRA does not. What stands out is the last column, "does not invent" (naming no figure that is not there): all lose much of it, and `mlp`, which leaves the attention alone, keeps most. These are 20 questions a column and a single run: do not read differences of a tenth.

# %%
costs = [
    {
        "method": name,
        "rate": report.recipe.learning_rate,
        "trainable": report.trainable,
        "learning_bytes": 12 * report.trainable,
        "kept_bytes": kept(report),
    }
    for name, report in trained.items()
]
figures_table("11", costs, LANGUAGE)

# %% [markdown] lang="ja"
# 学習する重み1つにつき、勾配が4バイト、Adamの2つの記録が8バイト要ります（32ビットで数えています）。この12バイトを、フルは全部の重みに、LoRAは $A$ と $B$ にだけ払います。一方、**時間はそこまで減りません**。前向きの計算は同じだけ要り、後ろ向きでも、奥の層へ勾配を届けるために全部の層を通るからです。
#
# `mame` は小さいので、メモリの大半はライブラリです。そこで、134,515,008個の重みを持つSmolLM2で測った記録を見ます。手法ごとに新しいプロセスで数歩だけ学習し、最大メモリと、1歩のCPU時間（1スレッド）を測りました。

# %% [markdown] lang="en"
# Each weight that learns needs 4 bytes for its gradient and 8 for the two records of Adam (counted in 32 bits). Full training pays these 12 bytes for all weights, LoRA for $A$ and $B$ alone. **Time does not shrink like that**: the forward pass is the same, and the backward pass still has to go through every layer to bring gradients to those behind it.
#
# `mame` is so small that most of the memory is the libraries'. So here is a record of SmolLM2 with its 134,515,008 weights: a few steps of each method in a process of its own, with the peak memory and the CPU time of one step (one thread).

# %%
from workshop_helpers import CATALOGUE, measured

print(f"{CATALOGUE['smollm2'].parameters:,}")
measured("11_lora_and_full_finetuning", "memory", LANGUAGE)

# %% [markdown] lang="ja"
# ## よく見る表を、計算し直す
#
# 長いガイドの記事には、7Bモデルの表があります。記事からの引用です：フルは約80GB、LoRA（r=8）は約30GB、QLoRA（r=8）は約8GB、LoRAで学習するのは約400万個（0.06%）。数えてみます。形はLlama 2の7Bのもので、幅4096、MLPの幅11008、32層です。

# %% [markdown] lang="en"
# ## A table seen everywhere, computed again
#
# The long guide has a table for a 7B model. Quoted from it: full training about 80 GB, LoRA (r=8) about 30 GB, QLoRA (r=8) about 8 GB, and about 4 million weights (0.06 %) learn with LoRA. Let us count, with the shape of Llama 2 7B: width 4096, MLP 11008, 32 layers.

# %%
weights, layers, hidden, wide = 6.74e9, 32, 4096, 11008
q_v = 8 * layers * 2 * (hidden + hidden)
every = 8 * layers * (4 * (hidden + hidden) + 3 * (hidden + wide))
print(f"r=8, q and v: {q_v:,} ({q_v / weights:.2%})")
print(f"r=8, every layer: {every:,} ({every / weights:.2%})")

terms = {
    "full, 16 bytes a weight": 16 * weights,
    "full, 12 bytes a weight": 12 * weights,
    "LoRA, base in 32 bits": 4 * weights + 16 * every,
    "LoRA, base in 16 bits": 2 * weights + 16 * every,
    "QLoRA, base in 4.127 bits": 4.127 / 8 * weights + 16 * every,
}
for name, size in terms.items():
    print(f"{name:27} {size / 1e9:6.1f} GB")

# %% [markdown] lang="ja"
# これに、行の長さと数で決まる活性値が加わります。表は、こう直せます。
#
# - **フルの80GB（引用）** は、重み1つ12バイトの計算です。重みと勾配を16ビットで、Adamだけ32ビットで持つ場合に当たります。小さな歩みが丸められて消えないように32ビットの重みも持つ、ふつうの混合精度では16バイトなので、上の出力の1行目になり、80GBのGPU1枚には入りません。
# - **LoRAの30GB（引用）** は、ベースを32ビットで読み込んだときの値です。16ビットなら半分で、同じ記事の本文も「7Bなら16GB程度」と書いています。表と本文が食い違っていて、本文のほうが近いです。
# - **約400万個（引用）** は、q_projとv_projだけに付けたときの数です。同じ記事のコードは7つの行列すべてに付けているので、その場合は上の出力のとおり約5倍になります。
# - **QLoRAの8GB（引用）** は、活性値を入れれば妥当です。くわしくは12章で測ります。
#
# もう1つ、「target_modulesは通常q_projとv_proj」という説明も古くなっています。次の表で測ります。

# %% [markdown] lang="en"
# Activations come on top, by the length and number of rows. So the table becomes:
#
# - **80 GB for full training (quoted)** is 12 bytes a weight: weights and gradients in 16 bits, only Adam in 32. Usual mixed precision also holds the weights in 32 bits, so that small steps are not rounded away. That is 16 bytes and the first line above, which does not fit a single GPU of 80 GB.
# - **30 GB for LoRA (quoted)** is what it takes when the base is loaded in 32 bits. In 16 bits it is half, and the text of the same guide says "about 16 GB for 7B": table and text disagree, and the text is nearer.
# - **About 4 million (quoted)** is with q_proj and v_proj alone. The guide's own code adapts all seven matrices, which makes about five times as many, as printed above.
# - **8 GB for QLoRA (quoted)** is fair once activations are in. Chapter 12 measures it.
#
# "target_modules: usually q_proj and v_proj" has aged as well. The next table measures that.

# %% [markdown] lang="ja"
# ## 名前の付いた改良版：1行の違い
#
# どの改良版も、このコースのレシピでは `recipe.replace(method="dora")` の1行です。PEFTへの設定で言えば、これだけの違いです。

# %% [markdown] lang="en"
# ## Improvements with a name: one line each
#
# In this course's recipes each of them is one line, `recipe.replace(method="dora")`. This is all that PEFT is told:

# %%
from workshop_helpers import METHODS

for name in ("dora", "rslora", "pissa"):
    print(f"{name:7}", dict(METHODS[name].peft))

# %% [markdown] lang="ja"
# - **DoRA** は、重みを「向き」と「長さ」に分け、向きにLoRAを、長さに1列ぶんの数を学習します。
# - **rsLoRA** は、強さを $\alpha/r$ から $\alpha/\sqrt{r}$ に変えます。ランク32なら強さが約6倍なので、**学習率を変えたのとほとんど同じ**です。
# - **PiSSA** は、$A$ と $B$ を乱数とゼロではなく、$W$ のいちばん大きな成分から始め、その分を $W$ から引いておきます。そのため、できたアダプターは元のベースにそのままでは合いません。`train` は始まりの分を差し引いて、ランクが2倍のふつうのアダプターとして保存します（テストが、学習した直後のモデルと同じ答えになることを確かめています）。
#
# 公平に比べるには、学習率を手法ごとに選びます。`mame`、英語100行、5エポック、シード1つで、**別の質問**（validation）で学習率を選び、いつもの質問で報告した記録です。「自分の学習率」は、いちばん良い学習率とほとんど同じだけ覚える、いちばん小さなものです。

# %% [markdown] lang="en"
# - **DoRA** splits a weight into direction and length: LoRA learns the direction, a column of numbers the length.
# - **rsLoRA** makes the strength $\alpha/\sqrt{r}$ instead of $\alpha/r$. At rank 32 that is nearly six times as strong, so it is **almost the same as another learning rate**.
# - **PiSSA** starts $A$ and $B$ not from noise and zeros but from the largest components of $W$, and takes these off $W$. So its adapter does not fit the base as it is. `train` takes the start off again and saves an ordinary adapter of twice the rank (a test makes sure that it answers as the model did when it was trained).
#
# To be fair, each method chooses its own learning rate. This is a record of `mame` with 100 English rows, 5 epochs and one seed. Rates were chosen by **other questions** (validation), and the usual ones report. A method's "own" rate is the smallest that learns almost as much as its best one.

# %%
from workshop_helpers import measured_plot

measured_plot("11_lora_and_full_finetuning", "rates", LANGUAGE, log=True)

# %%
measured("11_lora_and_full_finetuning", "own_rate", LANGUAGE)

# %%
measured("11_lora_and_full_finetuning", "same_rate", LANGUAGE)

# %% [markdown] lang="ja"
# 3つの表を、順に読みます。
#
# - **同じ学習率で比べると、rsLoRAとPiSSAが圧勝します。** LoRA（`mlp`）の82%に対して、97%と93%です。
# - **学習率を選ぶと、事実の差は消えます。** LoRAも学習率を3倍にするだけで94%です。つまり、覚えた事実でのrsLoRAとPiSSAの勝ちは、学習率が合っていなかっただけでした。
# - ただし、そこまで覚えさせると、LoRAは72ポイント忘れ、rsLoRAは52、PiSSAは57ポイントです。ここには差が残りました。1回の測定なので、傾向と言えるかどうかは分かりません。
# - **DoRAは、どちらの学習率でも、ふつうのLoRAより多くは覚えませんでした。** CPU時間は余計にかかります。
# - **q_projとv_projだけ**では、同じ学習率で事実をほとんど覚えません。このモデルでは、事実はMLPに入ります。
# - **フルファインチューニング**は、LoRAの0.3倍の学習率なら89%を覚えて32ポイントしか忘れず、ここでは悪くない取引でした。LoRAと同じ学習率では94%を覚えますが、81ポイント忘れます。
#
# 公開されている比較も、同じ向きです（引用）。9種類の改良版を学習率を選んで比べると、差は1〜2%に収まります（arXiv:2602.04998）。PEFT自身の比較（2026年7月、Llama-3.2-3B）では、フルが47.2%、q/vだけのLoRAが47.8%、MLPだけのr10が49.4%で忘却が最小、rsLoRAのr64が51.3%で忘却が最大でした。
#
# ## 経験則
#
# 1. **手法より先に、学習率を選びます。** 同じ学習率での比較は、手法ではなく歩幅の比較です。根拠は上の2つの表、限界は `mame`、100行、シード1つであることです。
# 2. **LoRAは、MLPだけか、線形の層すべてに付けます。** q_projとv_projだけにする理由は、もうありません。忘却が心配なら、まずMLPだけを試します。
# 3. **フルを選ぶのは、メモリが足りて、残すモデルが1つのとき**です。学習率はLoRAより下げます。記事では、フルは1e-6〜5e-5、LoRAは1e-5〜5e-4（引用）とされています。何倍下げるかはモデルによるので（ここでは0.3倍、よく言われるのは約10分の1）、3点は試します。
# 4. **LoRAなら忘れない、とは思わないこと。** 忘れる量を決めるのは、手法よりも、どれだけ強く覚えさせたかです。

# %% [markdown] lang="en"
# Read the tables one by one.
#
# - **At the same rate, rsLoRA and PiSSA win by far**: 97 % and 93 %, against 82 % for LoRA (`mlp`).
# - **Once rates are chosen, the difference in facts is gone.** With three times the rate LoRA reaches 94 %. What rsLoRA and PiSSA won in facts was won against a rate that did not fit.
# - But taught that much, LoRA forgot 72 points, rsLoRA 52 and PiSSA 57. Here a difference remains; whether it is a rule, a single run cannot tell.
# - **DoRA learned no more than plain LoRA at either rate**, and takes more CPU time.
# - **q_proj and v_proj alone** learn hardly a fact at that rate. In this model facts go into the MLP.
# - **Full fine-tuning** at 0.3 times LoRA's rate learns 89 % and forgets only 32 points, not a bad bargain here. At LoRA's rate it learns 94 % and forgets 81 points.
#
# Published comparisons point the same way (quoted). With rates chosen for each, nine variants lie within 1–2 % (arXiv:2602.04998). In PEFT's own comparison (July 2026, Llama-3.2-3B) full training has 47.2 %, LoRA on q/v 47.8 %, MLP alone at r10 49.4 % with the least forgetting, rsLoRA at r64 51.3 % with the most.
#
# ## Rule of thumb
#
# 1. **Choose the learning rate before the method.** At one rate for all you compare strides, not methods. It rests on the tables above; its limits are `mame`, 100 rows and one seed.
# 2. **Put LoRA on the MLP, or on every linear layer.** There is no reason left for q_proj and v_proj alone. If forgetting worries you, try the MLP alone first.
# 3. **Take full training when memory allows and there is one model to keep**, with a lower rate than LoRA's. The guide says 1e-6 to 5e-5 for full and 1e-5 to 5e-4 for LoRA (quoted). How much lower depends on the model (0.3 times here, often said to be about a tenth), so try three.
# 4. **Do not trust LoRA not to forget.** How hard you taught decides more than by which method.

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

exercises = Exercises("11", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：始まりの大きさ** 入力が `inputs` 個の層で、$A$ を `torch.randn` で始めると、PEFTの始め方（`torch.nn.Linear` の重みと同じ）に比べて、値の標準偏差は何倍になりますか。測っても、計算してもかまいません。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: how large a start** In a layer of `inputs` inputs, $A$ starts as `torch.randn`. How many times as large is the standard deviation of its values as in PEFT's start (that of a `torch.nn.Linear`'s weight)? Measure it or work it out.

# %% tags=["exercise"]
inputs = 256
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
import torch

inputs = 256
answer = (torch.randn(64, inputs).std() / torch.nn.Linear(inputs, 64).weight.std()).item()
answer

# %% tags=["check"]
pitfalls = {inputs**0.5: "start-root", (3 * inputs) ** -0.5: "start-upside-down"}
exercises.check("start", answer, (3 * inputs) ** 0.5, within=0.06, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：20のお店** お店ごとに20のモデルを作ります。フルで学習した20個のモデルは、「ベース1つ＋`mlp` のアダプター20個」の何倍の場所を取りますか。ベースの大きさは、フルのモデルと同じです。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: twenty shops** You make a model for each of 20 shops. How many times the room of "one base and 20 `mlp` adapters" do 20 fully trained models take? The base is as large as a fully trained model.

# %% tags=["exercise"]
shops = 20
answer = ...

# %% tags=["solution"]
shops = 20
whole, adapter = kept(trained["full"]), kept(trained["mlp"])
answer = shops * whole / (whole + shops * adapter)
answer

# %% tags=["check"]
whole, adapter = kept(trained["full"]), kept(trained["mlp"])
right = shops * whole / (whole + shops * adapter)
exercises.check("shops", answer, right, within=0.01, pitfalls={whole / adapter: "shops-base"})

# %% [markdown] lang="ja"
# ## まとめ
#
# - LoRAの層は、凍った $W$ の出力に $A$ と $B$ を通した出力を足すだけです。PEFTと100万分の1まで同じものが、数行で書けます。
# - LoRAが減らすのは、勾配とAdamのメモリと、残すファイルです。時間と忘却は、思ったほど減りません。
# - 改良版の多くは1行で試せます。ただし、学習率を選んでから比べます。
# - 「フル80GB、LoRA30GB、400万個」の表（引用）は、何ビットで読み、どの層に付けるかで大きく変わります。
#
# 次の12章はQLoRAです。凍ったベースのほうを小さくします。

# %% [markdown] lang="en"
# ## In short
#
# - A LoRA layer adds to the output of the frozen $W$ what comes out of $A$ and $B$, no more. A few lines give PEFT's own numbers to a millionth.
# - What LoRA saves is memory for gradients and Adam, and the file to keep. It saves less time, and less forgetting, than one would think.
# - Most improvements are one line to try. Choose their learning rates before you compare.
# - The table of "full 80 GB, LoRA 30 GB, 4 million" (quoted) depends on the bits that the base is read in and the layers that are adapted.
#
# Next, in chapter 12, is QLoRA: there it is the frozen base that shrinks.

# %% tags=["closing"]
assert kept(trained["mlp"]) < kept(trained["lora_all"]) < kept(trained["full"])
assert trained["full"].trainable == trained["full"].total
if MODEL == "mame":
    assert all(facts[name] > 0.6 > facts["base"] for name in trained)
