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
# # 04 LoRAで学習する
#
# ここで初めて、モデルの重みを書き換えます。まず10行、それから100行。学習のようすをその場で眺め、途中で止めて続きから再開し、最後に「何が書き換わったのか」を行列の絵で見ます。同梱のモデル `mame`（豆）なら、GPUもネットワークも要りません。
#
# | | |
# |---|---|
# | 目標 | LoRAが足すものを式と数で言える。損失の曲線を読み、ランク・学習率・エポック数の効き方を自分で測れる |
# | 時間 | 発表では03と合わせて10分、ひとりで20分 |
# | 使うもの | ベースモデル、お店の学習データ |
# | できるもの | 10行のアダプターと100行のアダプター |

# %% [markdown] lang="en"
# # 04 Training with LoRA
#
# This is where the weights change. First 10 rows, then 100. We watch the training as it goes, stop it half way and let it go on, and in the end we look at what was changed, as a picture of matrices. With the bundled model `mame` (豆, "bean") it takes neither a GPU nor a network.
#
# | | |
# |---|---|
# | Goal | Say what LoRA adds, as a formula and in numbers; read a loss curve; measure what rank, learning rate and epochs do |
# | Minutes | 10 in the talk, together with 03; 20 on your own |
# | Comes in | a base model, the shop's training rows |
# | Goes out | an adapter from 10 rows and one from 100 |

# %% [markdown] lang="ja"
# ## パラメータ
#
# 変えるのはこのセルだけです。GPUやMacがあれば `MODEL` を `"qwen2.5-1.5b"` などにしても、後のセルはそのまま動きます。

# %% [markdown] lang="en"
# ## Parameters
#
# This is the one cell to change. On a GPU or a Mac, set `MODEL` to `"qwen2.5-1.5b"`, say; the cells below stay as they are.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# 学習データの行がどんな形で、どのトークンに損失がつくのかは、前の章 `03_training_data` で見ました。ここではその行をそのまま使います。計算に使う装置と数値の形式は自動で選ばれ、理由も一緒に表示されます。

# %% [markdown] lang="en"
# What a training row looks like, and which of its tokens carry loss, was the subject of `03_training_data`; here we simply use the rows. Where to compute, and in which number format, is chosen for you. The reason comes with the choice.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import LoraRecipe, Shop, choose_device, runs_folder

shop = Shop(LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
runs = runs_folder(MODEL, LANGUAGE)
print(choose_device())

# %% [markdown] lang="ja"
# ## LoRAは何を足すのか
#
# モデルの中身は、大きな行列 $W$ の集まりです。LoRAは $W$ を凍らせておき、細長い行列を2つ掛けたものを足します。
#
# $$W' = W + \frac{\alpha}{r}\, B A$$
#
# $A$ は $r$ 行、$B$ は $r$ 列しかありません。この $r$ が**ランク（rank）**、$\alpha$ が足すときの強さ（alpha）です。学習するのは $A$ と $B$ だけ。$B$ はゼロから始めるので、学習前のモデルは元のモデルとまったく同じように答えます。

# %% [markdown] lang="en"
# ## What LoRA adds
#
# Inside, a model is a collection of large matrices $W$. LoRA freezes $W$ and adds the product of two thin ones:
#
# $$W' = W + \frac{\alpha}{r}\, B A$$
#
# $A$ has only $r$ rows and $B$ only $r$ columns. This $r$ is the **rank**, and $\alpha$ (alpha) says how strongly the product is added. Only $A$ and $B$ are trained. $B$ starts out as zeros, so before the first step the model answers exactly as it always did.

# %%
import torch

rank, alpha = 8, 16
W = torch.randn(256, 768)
A, B = torch.randn(rank, 768), torch.zeros(256, rank)
adapted = W + alpha / rank * (B @ A)

print(f"{W.numel() = :,}  {A.numel() + B.numel() = :,}  {torch.equal(adapted, W) = }")

# %% [markdown] lang="ja"
# 本物のモデルでは、`Linear` と書かれた行列にLoRAを付けられます。

# %% [markdown] lang="en"
# In a real model, everything called `Linear` can get a LoRA.

# %%
from workshop_helpers import load_model

model = load_model(MODEL, choose_device("cpu"))
print(model.get_decoder().layers[0])

# %% [markdown] lang="ja"
# どれに付けるかを決めるのが学習の設定 `LoraRecipe` です。`mame` の設定が選ぶのはMLPの3つだけで、注意機構（`self_attn`）には付けません。店の事実を覚えるにはそれで足り、プロンプトから事実を読み取る力が残りやすかったからです（測定値は[results/README.ja.md](../results/README.ja.md)）。学習するパラメータは、行列1つにつき $r \times (\text{入力} + \text{出力})$ 個。ランクごとに数えます。

# %% [markdown] lang="en"
# Which of them do is up to the training settings, the `LoraRecipe`. For `mame` it takes only the three of the MLP and leaves the attention (`self_attn`) alone: that is enough to learn the shop's facts, and the model keeps more of its skill of reading facts off a prompt (measured, see [results/README.md](../../results/README.md)). There are $r \times (\text{inputs} + \text{outputs})$ parameters to train for each matrix; count them, rank by rank.

# %%
layers = model.get_decoder().named_modules()
linear = {name: layer for name, layer in layers if isinstance(layer, torch.nn.Linear)}
chosen = [linear[name] for name in linear if name.endswith(recipe.target_modules or "")]
width = sum(layer.in_features + layer.out_features for layer in chosen)
total = sum(parameter.numel() for parameter in model.parameters())

for rank in sorted({1, 8, 64, recipe.rank}):
    print(f"rank {rank:2}: {rank * width:>9,} / {total:,} = {rank * width / total:.1%}")

# %% [markdown] lang="ja"
# モデルが大きいほど、この割合は小さくなります。講演の例は、TinyLlama（約11億パラメータ）で約0.2%でした。

# %% [markdown] lang="en"
# The larger the model, the smaller this share. In the talk's own example, TinyLlama with its 1.1 billion parameters, it is about 0.2 %.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：元の重みは1つも動かしません。横に細い行列を2つ足すだけ。だから学習が速く、できるファイルも小さい。
# - **指す**：`torch.equal` の True。学習前のLoRAは「何もしない」。次にランクごとの個数。
# - **遅れたら飛ばす**：層の中身の表示。01でLoRAの層を見せていれば、式と個数だけで十分です。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: not one of the old weights moves. Two thin matrices are put beside them, which is why training is quick and the file is small.
# - **Point at**: the True of `torch.equal`: an untrained LoRA does nothing. Then the counts by rank.
# - **If late, skip** the listing of the layer. If 01 has shown the LoRA layer, formula and counts will do.

# %% [markdown] lang="ja"
# ## 10行で学習する
#
# 設定にはモデルごとの既定値があります。`learning_rate` は1歩の大きさ、`epochs` はデータを何周するか、`batch_size` は1歩で何行見るか、です。

# %% [markdown] lang="en"
# ## Train on 10 rows
#
# The recipe has defaults for each model: `learning_rate` is the size of a step, `epochs` how often we go through the data, `batch_size` how many rows make one step.

# %%
for name, value in recipe.to_dict().items():
    print(f"{name:22} {value}")

# %% [markdown] lang="ja"
# 講演のデモと同じく、まず10行を3周します。行が少ないので、1歩で見るのは2行です。実際に学習するのはHugging FaceのPEFTとTRLで、`train` はその準備と後片付けをまとめたものです。

# %% [markdown] lang="en"
# As in the talk's demo: 10 rows, three times over. With so few rows, a step sees only two of them. The training itself is done by Hugging Face's PEFT and TRL; `train` does the preparing and the tidying up.

# %% tags=["needed", "nbval-ignore-output", "timed", "stage:train-10"]
from workshop_helpers import train

few = train(MODEL, shop.train[:10], runs / "tuned-10", recipe.replace(epochs=3, batch_size=2))
print(f"{few.trainable = :,}  {few.tokens = :,}  {few.seconds = :.1f}  {few.final_loss = :.2f}")

# %% [markdown] lang="ja"
# できあがったのは**アダプター**、つまり $A$ と $B$ だけを収めた小さなファイルです。元のモデルには手を付けていません。`card.json` には、どのモデルとデータと設定から、どの環境で作られたかが書かれています。

# %% [markdown] lang="en"
# What came out is an **adapter**: a small file with nothing but the $A$s and $B$s. The base model itself has not been touched. `card.json` records which model, data and settings it was made from, and on what machine.

# %% tags=["nbval-ignore-output", "timed"]
for file in sorted(few.adapter.iterdir()):
    print(f"{file.stat().st_size:>9,}  {file.name}")

# %% [markdown] lang="ja"
# ## 学習を眺める、止める、続ける
#
# 次は `ROWS` 行です。設定は既定値のまま、`train` の `progress` に `TrainingView` を渡すと、学習しているあいだ損失の曲線と残り時間が見えます。
#
# **止めて保存**を押してみてください。いまの1歩が終わったところで止まり、そこまでの $A$ と $B$ がアダプターとして残ります。同じセルをもう一度実行すれば、続きから最後まで学習します。ボタンが効かない環境（Colabなど）では、ノートブックの■（中断）が同じ働きをします。

# %% [markdown] lang="en"
# ## Watch it, stop it, let it go on
#
# Now `ROWS` rows, with the recipe as it is. Give `train` a `TrainingView` as its `progress`, and while it trains you see the loss curve and the time that is left.
#
# Do press **Stop and save**. The step at work ends, and the $A$s and $B$s so far stay as an adapter. Run the same cell again, and it trains from there to the end. Where the button is not heard (on Colab, for one), the notebook's ■ (interrupt) does the same.

# %% tags=["nbval-ignore-output", "timed", "stage:train-100"]
from workshop_helpers import TrainingView

view = TrainingView(LANGUAGE)
many = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe, progress=view)

# %% [markdown] lang="ja"
# 途中で止めたアダプターは、完成品のふりをしません。カードに「何歩のうち何歩目」と書かれ、同じ設定で `train` を呼べば必ず続きから学習します。最後まで行けば `stopped` は空です。`max_length` に収まらず、切られたり捨てられたりした行がないことも確かめます。

# %% [markdown] lang="en"
# An adapter that was stopped does not pass for a finished one: its card says at which step of how many, and calling `train` with the same settings always goes on. At the end, `stopped` is empty. Also make sure that no row was cut or dropped because it did not fit into `max_length`.

# %%
print(f"{many.stopped = }  {many.truncated = }  {many.dropped = }")

# %% [markdown] lang="ja"
# 2つの曲線を並べます。10行のほうが短いのは、それだけ歩数が少ないからです。

# %% [markdown] lang="en"
# Both curves together. The one of 10 rows is shorter simply because it makes fewer steps.

# %% tags=["nbval-ignore-output", "stage:loss-curve"]
from workshop_helpers import loss_curve

loss_curve({"10": few, str(ROWS): many})

# %% [markdown] lang="ja"
# 損失が下がるのは、**いま見せている行**の続きを当てやすくなったということです。お店の決まりを覚えた証拠には、まだなりません。それは次の章で、学習に使っていない質問をして確かめます。

# %% [markdown] lang="en"
# A falling loss says that the model got better at continuing **the rows it is being shown**. It does not prove that it knows the shop's rules. For that, the next chapter asks questions it was not trained on.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：これが本物のファインチューニングです。いま、この機械で重みが変わっています。
# - **指す**：曲線の急な下り坂、残り時間、そして**止めて保存**。押して、もう一度実行して、続きから進むのを見せると盛り上がります。
# - **遅れたら飛ばす**：止める実演。見つかったアダプターがあれば、このセルは一瞬で終わります。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: this is the real thing. Right now, on this machine, weights are changing.
# - **Point at**: the steep part of the curve, the time left, and **Stop and save**. Press it, run the cell again, let them see it go on.
# - **If late, skip** the stopping. Where the adapter is there already, this cell takes no time at all.

# %% [markdown] lang="ja"
# ## 設定は何に効くのか：小さな実験
#
# ランク、学習率、エポック数を1つずつ変えて、同じ20行で短い学習を6回します。測るのは2つ。学習に使った行の損失と、どの学習も見ていない50行の損失です。後者は**未学習データの損失**（held-out loss）で、本番の質問に近いのはこちらです。

# %% [markdown] lang="en"
# ## What the settings do: a small experiment
#
# We change rank, learning rate and epochs, one at a time, in six short trainings on the same 20 rows. And we measure two things: the loss on the rows trained on, and the loss on 50 rows that none of the trainings saw. The second is the **held-out loss**, and it is the one that resembles real questions.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import sweep

base, rate = recipe.replace(epochs=4), recipe.learning_rate
settings = {"rank": (1,), "learning_rate": (rate / 10, rate * 10), "epochs": (1, 12)}
tried = sweep(MODEL, shop.train[:20], shop.train[-50:], base, runs / "sweep", **settings)
tried

# %% tags=["nbval-ignore-output", "stage:settings"]
tried.plot()

# %% [markdown] lang="ja"
# 図を左から読みます（`mame` の場合）。
#
# - **ランク**：ほとんど差がありません。この小さな課題には、ランク1でも間に合います。
# - **学習率**：10分の1では歩みが遅すぎ、10倍では壊れます。3つの設定のうち、いちばん効くのがこれです。
# - **エポック数**：周回を重ねると学習データの損失はゼロに近づきますが、未学習データの損失はついてきません。丸暗記が始まっています。
#
# 正直に言うと、これは20行・シード1つの小さな実験です。傾向は見えても、細かい差を語れるものではありません。行数やシードを変えて何度も測った結果は `09_results_and_reality` にあります。

# %% [markdown] lang="en"
# Read it from left to right (for `mame`):
#
# - **Rank**: hardly any difference. For this small task rank 1 would do.
# - **Learning rate**: a tenth of it is too slow, ten times as much breaks the model. Of the three, this one matters most.
# - **Epochs**: go round often enough and the loss on the training rows comes close to zero, but the held-out loss does not follow. The model has begun to learn by heart.
#
# To be honest about it: this is a small experiment, 20 rows and one seed. It shows which way things go and is no judge of small differences. For trainings that were repeated with more rows and other seeds, see `09_results_and_reality`.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：ランクより学習率。迷ったら、まず学習率を疑ってください。
# - **指す**：右の図。学習データの損失（破線）は下がり続けるのに、実線はついてこない。
# - **遅れたら飛ばす**：この節はまるごと飛ばせます。09の大きな図が同じことを言います。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: learning rate before rank. When in doubt, suspect the learning rate.
# - **Point at** the panel on the right: the training loss (dashed) keeps falling, the solid line does not follow.
# - **If late, skip** this section altogether. The large figure in 09 says the same.

# %% [markdown] lang="ja"
# ## 何が書き換わったのか
#
# 学習したアダプターを開けてみます。左が凍ったままの $W$、右が足された変化です。$W$ は砂嵐のように見えますが、変化には縦と横の縞があります。$B$ の列と $A$ の行を掛け合わせただけの、単純な行列だからです。
#
# ランクのスライダーを下げると、変化のうちどれだけが残るでしょうか。$BA$ の特異値の2乗の和が、変化の大きさ $\lVert BA \rVert^2$ です。上から $k$ 個を残すのが、ランク $k$ でできるいちばん良い近似です（Eckart–Youngの定理）。

# %% [markdown] lang="en"
# ## What has changed
#
# Open the adapter that was trained. On the left $W$, still frozen; on the right the change that is added to it. $W$ looks like television snow, but the change has stripes, down and across: it is a simple matrix, made of nothing but columns of $B$ times rows of $A$.
#
# Pull the rank slider down: how much of the change is left? The squares of the singular values of $BA$ add up to its size $\lVert BA \rVert^2$, and keeping the $k$ largest is the best that rank $k$ can do (the theorem of Eckart and Young).

# %% tags=["nbval-ignore-output"]
from workshop_helpers import lora_view

lora_view(many, LANGUAGE)

# %% [markdown] lang="ja"
# 学習のときに与えたランクを、変化は使い切っていません。大きさの大半は、最初の数個の特異値に集まっています。ただし「大きさの9割が残る」ことと「答えが9割合っている」ことは別です。小さな特異値に、大事な1件の事実が入っていることもあります。

# %% [markdown] lang="en"
# The change does not use up the rank it was given: most of its size sits in the first few singular values. But to keep nine tenths of the size is not to keep nine tenths of the answers right. A small singular value may hold the one fact that matters.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import lora_matrices

matrices = lora_matrices(many.adapter)
for rank in sorted({1, max(1, matrices.rank // 8), matrices.rank}):
    print(f"rank {rank:2}: {matrices.kept(rank):6.1%}  {matrices.parameters(rank):,}")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：砂嵐に縞模様を足した。それがファインチューニングの正体です。
# - **指す**：縞。スライダーを端から端まで動かしても、絵はほとんど変わりません。
# - **遅れたら飛ばす**：特異値の話。絵だけ見せて05へ。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: stripes added to snow. That is what fine-tuning is.
# - **Point at** the stripes. Move the slider from end to end: the picture hardly changes.
# - **If late, skip** the singular values. Show the picture and go on to 05.

# %% [markdown] lang="ja"
# ## 演習
#
# 答えを `answer` に入れて、下の確認セルを実行してください。

# %% [markdown] lang="en"
# ## Exercises
#
# Put what you find into `answer` and run the check below it.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("04", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. 講演の数字を疑う。** 講演の画面では、TinyLlamaの学習パラメータは2,359,296個でした。TinyLlamaには同じ形の層が22あり、どの層にも同じだけLoRAを付けます。この数は、ありえますか（`True` か `False`）。

# %% [markdown] lang="en" tags=["exercise"]
# **1. Doubt the talk.** On the talk's screen, TinyLlama has 2,359,296 trainable parameters. TinyLlama is made of 22 equal layers, and each gets the same LoRA. Can that number be right (`True` or `False`)?

# %% tags=["exercise"]
on_the_screen, equal_layers = 2_359_296, 22
answer = ...

# %% tags=["solution"]
on_the_screen, equal_layers = 2_359_296, 22
answer = on_the_screen % equal_layers == 0

# %% tags=["check"]
exercises.check("screen", answer, False, pitfalls={True: "screen-possible"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2. 何歩？** `ROWS` 行を `recipe` で学習すると、何ステップになりますか。`recipe.batch_size` と `recipe.epochs` から計算してください。最後の1歩は、行が足りなくても1歩です。

# %% [markdown] lang="en" tags=["exercise"]
# **2. How many steps?** Train on `ROWS` rows by `recipe`: how many steps does that make? Work it out from `recipe.batch_size` and `recipe.epochs`. The last step of an epoch counts, even when it is short of rows.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
import math

answer = math.ceil(ROWS / recipe.batch_size) * recipe.epochs

# %% tags=["check"]
steps = -(-ROWS // recipe.batch_size) * recipe.epochs
seen = {ROWS * recipe.epochs: "steps-rows", -(-ROWS // recipe.batch_size): "steps-epoch"}
exercises.check("steps", answer, steps, pitfalls=seen)

# %% [markdown] lang="ja" tags=["exercise"]
# **3. ランクを半分にすると？** `alpha` をそのままにしてランクだけ半分にすると、$BA$ に掛かる強さは何倍になりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **3. Half the rank.** Halve the rank and leave `alpha` as it is: how many times as strongly is $BA$ added?

# %% tags=["exercise"]
strength = recipe.alpha / recipe.rank
answer = ...

# %% tags=["solution"]
strength = recipe.alpha / recipe.rank
answer = recipe.alpha / (recipe.rank / 2) / strength

# %% tags=["check"]
exercises.check("strength", answer, 2.0, pitfalls={0.5: "strength-half", 1: "strength-same"})

# %% [markdown] lang="ja" tags=["exercise"]
# **4. 9割に足りるランク。** 10行で学習したアダプターの最初の層について、変化の9割（`kept` が0.9以上）を残せる最小のランクを、コードで見つけてください。

# %% [markdown] lang="en" tags=["exercise"]
# **4. The rank that is enough.** Take the first layer of the adapter that was trained on 10 rows. Find, by code, the lowest rank that keeps nine tenths of its change (`kept` of 0.9 or more).

# %% tags=["exercise"]
from workshop_helpers import lora_matrices

first = lora_matrices(few.adapter)
answer = ...

# %% tags=["solution"]
from workshop_helpers import lora_matrices

first = lora_matrices(few.adapter)
answer = next(rank for rank in range(1, first.rank + 1) if first.kept(rank) >= 0.9)

# %% tags=["check"]
lowest = sum(first.kept(rank) < 0.9 for rank in range(1, first.rank)) + 1
near = {lowest - 1: "enough-below", lowest + 1: "enough-above", first.rank: "enough-all"}
exercises.check("enough", answer, lowest, pitfalls=near)

# %% [markdown] lang="ja" tags=["exercise"]
# **5. 自分で止める。** `progress` には、どんな関数でも渡せます。1歩ごとに呼ばれ、`True` を返すとそこで止まって保存します。5歩目で止まる関数を書いて、`answer` に報告の `stopped` を入れてください。

# %% [markdown] lang="en" tags=["exercise"]
# **5. A stop of your own.** Any function will do as `progress`. It is called after each step, and where it returns `True`, training stops and saves. Write one that stops at the fifth step, and let `answer` be what the report says as `stopped`.


# %% tags=["exercise"]
short = recipe.replace(epochs=3, batch_size=2)
answer = ...

# %% tags=["solution"]
short = recipe.replace(epochs=3, batch_size=2)


def watch(progress):
    return progress.step == 5


stopped = train(MODEL, shop.train[:10], runs / "stopped", short, progress=watch, overwrite=True)
answer = stopped.stopped

# %% tags=["check"]
exercises.check("stop", answer, (5, 15), pitfalls={5: "stop-number", None: "stop-never"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **アダプターのファイルに入っているのは、何ですか。**
#
# <details><summary>答え</summary>
#
# $A$ と $B$ だけです。元の重み $W$ は入っていないので、使うにはベースモデルが要ります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **What is in the file of an adapter?**
#
# <details><summary>Answer</summary>
#
# The $A$s and $B$s, and nothing else. The old weights $W$ are not in it, so it is of no use without its base model.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **損失がゼロに近づきました。これで安心ですか。**
#
# <details><summary>答え</summary>
#
# いいえ。見せた行を丸暗記しただけかもしれません。見ていない行の損失と、見ていない質問への答えを測ります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **The loss has come close to zero. All well?**
#
# <details><summary>Answer</summary>
#
# Not necessarily: it may have learned its rows by heart. Measure the loss on rows it has not seen, and ask questions it has not seen.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **学習が発散しました（損失が跳ね上がる、数でなくなる）。まず変えるのは、どの設定ですか。**
#
# <details><summary>答え</summary>
#
# 学習率です。10分の1にして、もう一度。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **Training diverges: the loss jumps, or is no number any more. Which setting do you change first?**
#
# <details><summary>Answer</summary>
#
# The learning rate. Take a tenth of it and try again.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - **止めて保存**のボタンが学習中に届くのは、ipykernel 7とJupyterLab 4.4以降で動かしたときです。Colabなどでは、押しても学習が終わるまで届きません。■（中断）を使ってください。
# - 学習の数字は、CPUの種類やスレッド数でわずかに変わります。同じ機械で同じ設定なら、同じ重みになります。
# - 小さな実験は、シード1つ、20行です。ほかの行では、順番が入れ替わることがあります。
# - `ROWS = 10` にすると、2つの学習が同じフォルダー（`tuned-10`）を使おうとするので、あとのほうは「別の設定で学習したものがある」と言って止まります。10以外の行数でお試しください。

# %% [markdown] lang="en"
# ## Known to fail
#
# - A click on **Stop and save** arrives during the training with ipykernel 7 and JupyterLab 4.4 or newer. On Colab, for one, it waits until the training is over: use ■ (interrupt) there.
# - The figures of a training differ a little with the processor and the number of threads. The same settings on the same machine give the same weights.
# - The small experiment is one seed and 20 rows. With other rows, close neighbours may change places.
# - With `ROWS = 10`, both trainings ask for the same folder (`tuned-10`), and the second stops and says that something trained by another recipe is there. Try any other number of rows.

# %% [markdown] lang="ja"
# ## まとめ
#
# - LoRAは元の重みを凍らせ、細い行列 $A$ と $B$ だけを学習します。できるのは小さなアダプターです。
# - 学習は、止めて保存して、続きから再開できます。途中のものは完成品とは区別されます。
# - 学習率がいちばん効きます。エポックを重ねすぎると、丸暗記になります。
# - 足された変化は単純な行列で、与えたランクを使い切っていません。

# %% [markdown] lang="en"
# ## In short
#
# - LoRA freezes the weights and trains thin matrices $A$ and $B$. What you get is a small adapter.
# - A training can be stopped, saved and taken up again, and what is half done does not pass for finished.
# - The learning rate matters most. Too many epochs, and the model learns by heart.
# - The change that is added is a simple matrix and does not use up the rank it was given.

# %% tags=["closing"]
assert few.trainable == many.trainable == recipe.rank * width < total
assert torch.equal(adapted, W) and many.stopped is None
assert not many.truncated and not many.dropped
if MODEL == "mame":
    slow, usual, fast = tried.of("learning_rate")
    assert usual.held_out < slow.held_out and usual.held_out < fast.held_out
    *_, given = ranks = tried.of("rank")
    assert ranks[0].held_out < 1.1 * given.held_out
    *_, own, long = tried.of("epochs")
    assert long.loss < own.loss / 10 and long.held_out > own.held_out / 2
    assert matrices.kept(matrices.rank // 8) > 0.8

# %% [markdown] lang="ja"
# 次の章 `05_before_after` では、評価用の質問をまとめて投げ、学習の前と後、そして「プロンプトに書くだけ」の場合を数字で比べます。

# %% [markdown] lang="en"
# Next, in `05_before_after`, we put all the held-out questions to the models and compare, in figures: before, after, and simply writing the facts into the prompt.
