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
# # 00 始める前の点検
#
# デモで一番怖いのは、本番で動かないことです。この章では、この環境で教材が動くかどうかを調べ、モデルを1つ選び、各手順に**ここでは**どれだけ時間がかかるのかを測ります。発表の前の日に1回、直前にもう1回どうぞ。
#
# | | |
# | --- | --- |
# | 目標 | この環境で動かないものと、その直し方が分かる。使うモデルを選べる。それぞれの手順にかかる時間の見当がつく |
# | 時間 | 発表の前に5分、ひとりで10分 |
# | 使うもの | なし。ネットワークもGPUもOllamaも要りません |
# | できるもの | 点検の結果、選んだモデル、時間の見込み、10行で学習した最初のアダプター |

# %% [markdown] lang="en"
# # 00 Preflight
#
# The worst thing about a live demo is that it does not run. This chapter finds out whether the course runs on this machine, helps to choose a model, and measures how long each step takes **here**. Run it the day before a talk, and once more just before.
#
# | | |
# | --- | --- |
# | Goal | Know what will not run on this machine and how to mend it; choose a model; know roughly how long each step takes |
# | Minutes | 5 before the talk, 10 on your own |
# | Comes in | Nothing: no network, no GPU, no Ollama |
# | Goes out | The result of the check, a model, the expected times, and a first adapter, trained on 10 rows |

# %% [markdown] lang="ja"
# この教材で変えられるのは、どの章でもこの3つだけです。まずはこのまま進めて、あとで `MODEL` を変えて戻ってきてください。

# %% [markdown] lang="en"
# In every chapter there are only these three to change. Go through it as it is first, and come back with another `MODEL` later.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## この環境で動くか
#
# Python、パッケージ、メモリ、ディスク、GPU、Ollamaを順に見ます。何も変えませんし、外部にも接続しません。**✓** はそのままで大丈夫、**△** は無くても教材は動く、**✗** は直すまで動かない章がある、という意味です。

# %% [markdown] lang="en"
# ## Does it run here?
#
# Python, packages, memory, disk, GPU and Ollama, one after the other. Nothing is changed, and nothing outside this machine is asked. **✓** is fine, **△** the course does without, **✗** has to be mended before some chapter can run.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import check_machine

machine = check_machine(LANGUAGE)
machine

# %% [markdown] lang="ja"
# 直すことがあれば、「対処」の列にそのまま書いてあります。ターミナルで `workshop doctor` を実行しても、同じ点検ができます。
#
# Ollamaが見つからなくても、心配は要りません。同じGGUFをllama.cppで動かせるので、どの章も最後まで進みます。

# %% [markdown] lang="en"
# Where something needs mending, the last column says how. `workshop doctor` in a terminal makes the same check.
#
# No Ollama? Never mind. llama.cpp runs the same GGUF, so every chapter gets to its end.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：発表の前の日と、会場に着いてからの2回、上から順に実行しておく。
# - **指す**：✗ の行。会場のネットワークでは直せないことが多いので、前の日に直す。
# - **遅れたら飛ばす**：発表では、この章は見せなくてかまわない。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: run this from top to bottom twice: the day before, and once you are in the room.
# - **Point at**: any ✗. A venue's network often cannot help, so mend it the day before.
# - **If late, skip**: nobody needs to see this chapter in the talk.

# %% [markdown] lang="ja"
# ## モデルを選ぶ
#
# どの章も、`MODEL` を変えれば同じセルがほかのモデルで動きます。この教材が知っているモデルと、それがこの環境に収まるかどうかの一覧です。

# %% [markdown] lang="en"
# ## Choosing a model
#
# All chapters run with another model when `MODEL` is changed, with the same cells. Here are the models that the course knows, and whether this machine has room for them.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import model_choices

choices = model_choices(LANGUAGE)
choices

# %% [markdown] lang="ja"
# 選び方は、上から順にこう考えます。
#
# 1. **収まるか**：メモリが足りないモデルは、途中で止まります。
# 2. **言語**：日本語で答えさせるなら、言語に `ja` のあるものを選びます。
# 3. **ライセンス**：会社で使うなら、必ず読みます。同意が必要なモデルは、ページで同意してからでないと取ってこられません。
# 4. **大きさ**：講演の目安では、1B前後は検証用、3B以上で実用です。ただし学習の時間も大きさに比例して延びます。
#
# 付属の `mame` は、この教材のために作ったとても小さなモデルです。手元のCPUだけで、どの章も数秒から1分ほどで終わります。まずはこれで全部を通してから、大きなモデルに替えるのがおすすめです。

# %% [markdown] lang="en"
# How to choose, in this order:
#
# 1. **Does it fit?** A model without enough memory stops half-way.
# 2. **Language.** For answers in Japanese, take one with `ja` among its languages.
# 3. **Licence.** For use at work, read it. Models that ask for consent can be fetched only after it was given on their page.
# 4. **Size.** As a guide the talk says: around 1B to try things out, 3B and more for real use. Training takes longer in proportion.
#
# `mame`, which comes with the course, is a very small model made for it. On nothing but a CPU each chapter takes from seconds to about a minute. Go through everything with it first, then move on to a larger one.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：発表は `mame` で通す。大きなモデルの結果は、前もって作っておいたものを見せる。
# - **指す**：「この環境では」の列。
# - **遅れたら飛ばす**：ライセンスの話は質疑で。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: present with `mame`. What a larger model does is shown from results made beforehand.
# - **Point at**: the last column.
# - **If late, skip**: leave licences to the questions at the end.

# %% [markdown] lang="ja"
# ## ここでは何秒かかるか
#
# 講演では、10行の学習にTinyLlamaで40秒、Qwen2.5 3Bで62秒かかったと報告されています。どちらも講演者のMacでの数字です。自分の環境の時間は、**自分の環境で測る**しかありません。
#
# そこで、本物の学習を数ステップ、本物の質問を数十問、本物の変換と量子化を1回ずつ動かして時間を計り、教材の量まで延ばします。

# %% [markdown] lang="en"
# ## How many seconds here?
#
# The talk reports 40 seconds for training on 10 rows with TinyLlama, and 62 with Qwen2.5 3B. Both were measured on the speaker's Mac. How long it takes on your machine, only **your machine** can say.
#
# So a few real training steps are run and timed, some real questions, one real conversion to GGUF and one quantization, and the rest is multiplied.

# %%
from workshop_helpers import LoraRecipe, Shop, runs_folder, time_steps

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
recipes = {10: recipe.replace(epochs=3, batch_size=2), ROWS: recipe}
times = time_steps(MODEL, shop, recipes)

# %% tags=["nbval-ignore-output", "timed"]
times

# %% [markdown] lang="ja"
# 左から、測ったもの、本番の量、見込みです。計算は単純で、準備の時間に、1ステップあたりの時間×残りのステップ数を足しているだけです。最初の1ステップは、あとで使い回すものを用意するぶん遅いので、準備に含めています。
#
# ## 見込みは当たるか
#
# 10行の学習を、最後まで動かして比べます。ここでできたアダプターは、あとの章でもそのまま使われます。

# %% [markdown] lang="en"
# From left to right: what was measured, how much there is to do, what to expect. The sum is simple: the start, plus the seconds of one step times the steps to come. The first step sets up what all others use again, so it counts as a part of the start.
#
# ## Is the estimate any good?
#
# Let us run the training on 10 rows to its end and compare. The adapter that comes of it is used by later chapters as it is.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import train

few = train(MODEL, shop.train[:10], runs / "tuned-10", recipes[10])
expected = times.of("train", 10).seconds
print(f"{expected:.1f} s → {few.seconds:.1f} s  (x {few.seconds / expected:.2f})")

# %% [markdown] lang="ja"
# 左が見込み、右が実際です。静かな環境なら、ずれは2倍以内に収まります。大きくずれるのは、ほかのプログラムが同時に動いているときです。会議アプリや画面録画を動かしたまま発表するなら、**その状態で**測ってください。

# %% [markdown] lang="en"
# On the left what was expected, on the right what it took. On a quiet machine they are within a factor of 2. What throws them apart is other programs at work. If a video call or a screen recording will be running during the talk, measure **while it runs**.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：発表で見せる手順は、合計がこの表の時間に収まるものだけにする。
# - **指す**：いちばん長い行。本番で待てないなら、前もって実行しておく。できているものは、そのまま読み込まれる。
# - **遅れたら飛ばす**：見込みと実際の比較。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: show only those steps live whose times in this table fit into the talk.
# - **Point at**: the longest line. If nobody can wait for it, run it beforehand: what is there already is simply loaded.
# - **If late, skip**: the comparison of the two numbers.

# %% [markdown] lang="ja"
# ## 演習
#
# 答えを `answer` に入れて実行し、すぐ下のセルで確かめてください。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and let the one below check it.

# %% tags=["needed"]
from math import ceil

from workshop_helpers import CATALOGUE, Exercises, LoraRecipe

exercises = Exercises("00", LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
batch = recipe.batch_size * recipe.gradient_accumulation

# %% [markdown] lang="ja" tags=["exercise"]
# **1.** `ROWS` 行の学習は何ステップになりますか。1ステップで `batch` 行をまとめて学び、全部の行を `recipe.epochs` 回くり返します。上の表と見比べてください（表では、最初の1ステップが準備に入っています）。

# %% [markdown] lang="en" tags=["exercise"]
# **1.** How many steps does training on `ROWS` rows take? A step learns `batch` rows at once, and all rows are gone through `recipe.epochs` times. Compare with the table above (where the first step counts as a part of the start).

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = ceil(ROWS / batch) * recipe.epochs

# %% tags=["check"]
steps = ceil(ROWS / batch) * recipe.epochs
wrong = {ROWS * recipe.epochs: "steps-rows", ceil(ROWS / batch): "steps-epoch"}
exercises.check("steps", answer, steps, pitfalls=wrong)

# %% [markdown] lang="ja" tags=["exercise"]
# **2.** 準備に2秒、20ステップに1.5秒かかりました。残りを含めて全部で250ステップあります。全体で何秒の見込みですか（準備も含みます）。

# %% [markdown] lang="en" tags=["exercise"]
# **2.** The start took 2 seconds, 20 steps took 1.5. There are 250 steps in all. How many seconds to expect for the whole, start included?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
start, took, done, todo = 2, 1.5, 20, 250
answer = start + took / done * todo

# %% tags=["check"]
start, took, done, todo = 2, 1.5, 20, 250
wrong = {took / done * todo: "seconds-start", start + took * todo: "seconds-each"}
exercises.check("seconds", answer, start + took / done * todo, within=0.01, pitfalls=wrong)

# %% [markdown] lang="ja" tags=["exercise"]
# **3.** メモリ8 GBのGPUがあります。使えるのはその8割とします。LoRAで学習できる、いちばん重みの多いモデルの名前を答えてください。`CATALOGUE` の各モデルには `lora_memory_gb` と `parameters` があります。

# %% [markdown] lang="en" tags=["exercise"]
# **3.** There is a GPU with 8 GB of memory, of which 80 % can be used. What is the name of the model with the most weights that can be trained on it with LoRA? Each model of `CATALOGUE` has `lora_memory_gb` and `parameters`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
fitting = [one for one in CATALOGUE.values() if one.lora_memory_gb <= 0.8 * 8]
answer = max(fitting, key=lambda one: one.parameters).name

# %% tags=["check"]
largest = max(CATALOGUE.values(), key=lambda one: one.parameters).name
room = [one for one in CATALOGUE.values() if one.lora_memory_gb <= 0.8 * 8]
right = max(room, key=lambda one: one.parameters).name
exercises.check("gpu", answer, right, pitfalls={largest: "gpu-largest"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **Q1.** 点検の表に △ の行がありました。発表は中止ですか。
#
# <details><summary>答え</summary>
#
# いいえ。△ は、無くても教材が動くものです。たとえばOllamaがなければ、その部分をllama.cppで行います。直すまで動かない章があるのは ✗ です。
#
# </details>
#
# **Q2.** 時間を延ばして見積もるとき、最初の1ステップを数に入れないのはなぜですか。
#
# <details><summary>答え</summary>
#
# 最初の1回だけ、計算の準備に余分な時間がかかるからです。これを平均に混ぜると、ステップ数を掛けたときに、その余分まで何度も掛けてしまいます。
#
# </details>
#
# **Q3.** 講演の「40秒」を、そのまま自分の発表の予定に書いてもよいでしょうか。
#
# <details><summary>答え</summary>
#
# いけません。機械もモデルの設定も違います。自分の環境で、本番と同じ状態で測った時間を書きます。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **Q1.** One line of the check says △. Is the talk off?
#
# <details><summary>Answer</summary>
#
# No. The course does without what has a △. Without Ollama, for example, its part is done by llama.cpp. It is a ✗ that keeps some chapter from running.
#
# </details>
#
# **Q2.** Why is the first step left out when the time is multiplied?
#
# <details><summary>Answer</summary>
#
# Only the first one has to set things up, which takes longer. Mixed into the average, that extra time would be multiplied by all the steps.
#
# </details>
#
# **Q3.** May the talk's "40 seconds" go into the plan of your own talk as they are?
#
# <details><summary>Answer</summary>
#
# No. The machine differs, and so do the settings. Write down what you measured on your own machine, in the state it will be in.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 見込みは、測ったときの忙しさを映します。測る間だけ忙しければ長すぎ、本番だけ忙しければ短すぎます。
# - 大きなモデルでは、マージは測りません。変換と量子化は、`mame` で測った時間から重みの数とディスクの速さで延ばした、大まかな値です。
# - まだ手元にないモデルを選ぶと、最初にダウンロードが始まります。その時間は表に入っていません。

# %% [markdown] lang="en"
# ## Known to fail
#
# - The estimate mirrors how busy the machine was. Busy only while measuring, it is too long; busy only during the talk, too short.
# - With a large model merging is not measured, and conversion and quantization are rough: `mame`'s times, extended by the number of weights and the speed of the disk.
# - A model that is not here yet is fetched first. That time is not in the table.

# %% [markdown] lang="ja"
# ## まとめ
#
# - ✗ は前の日に直します。△ は、無くても進めます。
# - モデルは、収まるか、言語、ライセンス、大きさの順に選びます。替えるときは `MODEL` を1つ変えるだけです。
# - 時間は借りてこないで、測ります。少しだけ動かして、延ばします。

# %% [markdown] lang="en"
# ## In short
#
# - Mend a ✗ the day before. A △ the course can do without.
# - Choose a model by room, language, licence and size, in this order. One parameter, `MODEL`, changes it everywhere.
# - Do not borrow times, measure them: run a little, and multiply.

# %% tags=["closing"]
assert all(check.fix for check in machine.checks if check.status != "ok"), "each fault has its fix"
assert "mame" in choices.fitting
assert all(step.seconds is None or step.seconds > 0 for step in times.steps)
assert times.of("train", ROWS).todo + 1 == ceil(ROWS / batch) * recipe.epochs
assert few.rows == 10 and (runs / "tuned-10" / "adapter_config.json").is_file()

# %% [markdown] lang="ja"
# 準備ができました。次の `01_what_is_finetuning` から本編です。

# %% [markdown] lang="en"
# Ready. The course itself begins with `01_what_is_finetuning`, next.
