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
# # 09 検証結果と現実
#
# 「何行あれば実用になりますか？」 いちばんよく聞かれる質問です。この章では、答えが行数だけでは決まらないことを、測った曲線で確かめます。
#
# | | |
# | --- | --- |
# | 目標 | 行数、エポック数、学習率のどれが事実の再現率を決めるかを曲線から読み取り、講演の表を自分の測定と突き合わせる |
# | 時間 | 発表では5分、ひとりで15分 |
# | 使うもの | 記録済みの学習曲線（`results/learning_map.json`）と、お店のデータ |
# | できるもの | 10行と100行で学習したアダプター、記録の横に並べた自分の測定値 |

# %% [markdown] lang="en"
# # 09 Results and reality
#
# "How many rows do I need?" is the question that everybody asks. In this chapter measured curves show that the number of rows alone does not answer it.
#
# | | |
# | --- | --- |
# | Goal | Read from curves which of rows, epochs and learning rate decides how many facts are stated, and hold the talk's table against a measurement of your own |
# | Minutes | 5 in the talk, 15 on your own |
# | Comes in | Recorded learning curves (`results/learning_map.json`) and the shop's data |
# | Goes out | Adapters trained on 10 and on 100 rows, and your own points beside the recorded ones |

# %% [markdown] lang="ja"
# モデル、行数、言語はここで選びます。ほかに書き換えるところはありません。

# %% [markdown] lang="en"
# Model, rows and language are chosen here, and nothing else needs editing.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 記録された曲線
#
# `mame` を、条件を1つずつ変えて何十回も学習し（英語では公開モデルでも）、学習に使っていない質問で採点した記録があります。まず、いつ、どのマシンで測ったものかを確かめます。数字だけの表は、出どころが分からなければ噂と変わりません。

# %% [markdown] lang="en"
# ## The recorded curves
#
# `mame` was trained dozens of times with one condition changed at a time (in English a public model was, too), and each result was scored on questions that were never trained on. First of all: when was that, and on which machine? A table without its origin is hearsay.

# %% tags=["needed"]
from workshop_helpers import learning_map

recorded = learning_map(LANGUAGE)
print(recorded.source)

# %% [markdown] lang="ja"
# 次の図では行数だけを変えています。エポック数も学習率も、このモデルの標準レシピのままです。帯は、先頭の行で学習したときと、無作為に選んだ行で学習したときの幅です。

# %% [markdown] lang="en"
# In the next plot only the rows vary; epochs and learning rate stay at the model's standard recipe. The band lies between a training on the first rows and one on rows drawn by chance.

# %% tags=["nbval-ignore-output", "stage:curve-rows"]
recorded.plot("rows")

# %% [markdown] lang="ja"
# 行が増えれば、確かに上がります。行が少ないところでは帯が広く、**どの行を選ぶか**が効いています。選んだ行に出てこない事実は、覚えようがないからです。
#
# では、行数を100に固定して、**見せる回数**を変えるとどうなるでしょう。

# %% [markdown] lang="en"
# More rows do help. Where they are few the band is wide, because it matters **which rows** were chosen: a fact that none of them states cannot be learned.
#
# Now keep the rows at 100 and change **how often they are seen**.

# %% tags=["nbval-ignore-output", "stage:curve-epochs"]
recorded.plot("epochs")

# %% [markdown] lang="ja"
# 同じ100行でも、3エポックと10エポックではまるで別のモデルです。25行を10エポック見せたものと、100行を3エポック見せたものを、並べて印字してみます。行数だけを見ていると、答えを間違えます。

# %% [markdown] lang="en"
# The same 100 rows make two very different models after 3 epochs and after 10. Print one point of each curve side by side: 25 rows seen 10 times, and 100 rows seen 3 times. Who looks at the rows alone gets it wrong.

# %% tags=["needed"]
few_rows = recorded.at("rows", 25)
few_epochs = recorded.at("epochs", 3)
print(f"25 rows x 10 epochs: {few_rows.recall:.0%}")
print(f"100 rows x 3 epochs: {few_epochs.recall:.0%}")

# %% [markdown] lang="ja"
# 学習率も同じくらい効きます。大きなモデルでよく使われる値は、このモデルには小さすぎます。

# %% [markdown] lang="en"
# The learning rate counts just as much. The value that is usual for large models is too small for this one.

# %% tags=["nbval-ignore-output"]
recorded.plot("learning_rate")

# %% [markdown] lang="ja"
# `mame` だけの話ではないか、と思うかもしれません。そこで、公開されている英語のモデルSmolLM2（1億3500万パラメーター）でも、英語の100行で同じ測定をしました。レシピはそのモデルのために探したもので、ランクは256です。

# %% [markdown] lang="en"
# Is this true of `mame` only? The same was measured with a public model, SmolLM2 with 135 million parameters, on the 100 English rows. The recipe was searched for that model; its rank is 256.

# %%
public = learning_map("en")
for point in public.curve("epochs", "smollm2"):
    print(f"{point.first.epochs:g} epochs: {point.recall:.0%}")

# %% [markdown] lang="ja"
# 3エポックでは足りないのは同じです。違うのは、8エポックを超えると**もう伸びない**ことと、いちばん良いところでも9割に届かないことです（学習は1〜2回ずつで、数ポイントの差は運の範囲です）。レシピは、モデルごとに測って選ぶものです。

# %% [markdown] lang="en"
# Three epochs are too few here, too. What differs: beyond eight **nothing more is gained**, and the best of them does not reach 90 percent (one or two trainings each: some points between them are luck). A recipe is chosen for a model, by measuring.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: 「100行あれば実用」ではありません。同じ100行でも、回数と学習率しだいで結果は大きく変わります。
# - **指す**: 3エポックの点と10エポックの点。帯の幅も忘れずに。
# - **遅れたら飛ばす**: 学習率の図。エポックの図だけで話は通じます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "100 rows are usable" is not the rule. The same 100 rows give very different results, by how often and at which rate they are seen.
# - **Point at**: the points at 3 and at 10 epochs, and the width of the band.
# - **If late, skip**: the learning rate. The plot of epochs carries the message.

# %% [markdown] lang="ja"
# ## 3本の曲線をさわる
#
# 何を変えるか、何を数えるかを選べます。「事実と矛盾」も重ねてみてください。学習が足りないモデルは黙っているのではなく、**間違った数字を言い切ります**。

# %% [markdown] lang="en"
# ## Hold the curves in your hand
#
# Choose what varies and what is counted. Do add "contradict a fact": a model that has not learned enough does not keep silent, it **states wrong figures with confidence**.

# %% tags=["nbval-ignore-output"]
recorded.explore()

# %% [markdown] lang="ja"
# ## ここで測る
#
# 記録は他人のマシンの話です。自分でも3回だけ学習して、記録の横に置いてみましょう。講演のデモと同じ「10行を3回」、行数だけ増やした「100行を3回」、そして標準レシピです。

# %% [markdown] lang="en"
# ## Measure it here
#
# The record comes from somebody else's machine. So train three times yourself and put the results beside it: the talk's "10 rows, 3 times", the same with more rows, and the standard recipe.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, compare, runs_folder, train

shop, recipe = Shop(LANGUAGE), LoraRecipe.for_model(MODEL)
runs = runs_folder(MODEL, LANGUAGE)
hasty = recipe.replace(epochs=3)
few = train(MODEL, shop.train[:10], runs / "tuned-10", hasty.replace(batch_size=2))
short = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}-short", hasty)
many = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)

# %% tags=["needed"]
tuned = {"10 x 3": few, f"{ROWS} x 3": short, f"{ROWS} x {recipe.epochs:g}": many}
result = compare({"base": MODEL, **tuned}, shop.questions)

# %% tags=["nbval-ignore-output", "timed", "stage:measured-here"]
result

# %% [markdown] lang="ja"
# 自分の点（大きなひし形）を記録の曲線に重ねます。記録はここに名前のあるモデルのものなので、`MODEL` を変えたときは、ずれて当然です。

# %% [markdown] lang="en"
# Your own points, the large diamonds, go on top of the recorded curve. The record is that of the model named here, so with another `MODEL` they will lie elsewhere, and should.

# %% tags=["nbval-ignore-output"]
recall = {row.label: row.summary.recall for row in result.rows}
mine = {3: recall[f"{ROWS} x 3"], recipe.epochs: recall[f"{ROWS} x {recipe.epochs:g}"]}
print(recorded.models)
recorded.plot("epochs", here=mine)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: 記録と、今ここで測った点が並びました。違う日に、違うマシンで測ったものです。
# - **指す**: ひし形と曲線の距離。帯の中に入っていますか？
# - **遅れたら飛ばす**: 学習が終わっていなければ、記録だけを見せて先へ進みます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: here are the record and what we measured just now, on another day and another machine.
# - **Point at**: the distance from the diamonds to the curve. Do they lie in the band?
# - **If late, skip**: if the trainings are not done, show the record alone and go on.

# %% [markdown] lang="ja"
# ## 覚えたもの、覚えなかったもの
#
# 講演では、10行で覚えたものとして回答の構造、トーン、対応のパターンを、覚えなかったものとして価格、返品ポリシーの詳細、箇条書きを挙げています。表の「10行」を見れば、同じことが数字で言えます。言い回しは移っても、事実はほとんど移りません。かわりに増えるのが矛盾です。
#
# 全事実を正しく答えた質問と、間違った数字を言った質問を、モデルごとに数えてみます。

# %% [markdown] lang="en"
# ## Learned, and not learned
#
# The talk lists what 10 rows taught: the structure of an answer, the tone, the pattern of a reply. And what they did not: prices, the details of the return policy, bullet points. The line for 10 rows in the table says the same in figures. The wording rubs off, the facts hardly do. What grows instead are contradictions.
#
# How many of the questions does each model answer with every fact right, and how many with a wrong figure?

# %% tags=["nbval-ignore-output", "stage:learned"]
for row in result.rows:
    right = sum(score.recall == 1 for score in row.scores)
    wrong = sum(bool(score.contradicted) for score in row.scores)
    print(f"{row.label:10} right: {right:3}  contradicted: {wrong:3}  of {len(row.scores)}")

# %% [markdown] lang="ja"
# ## 忘れたもの
#
# 得たものだけでは損得は分かりません。お店と関係のない質問に、学習の前と後で答えさせます。

# %% [markdown] lang="en"
# ## Forgotten
#
# What was gained is half of the account. Ask questions that have nothing to do with the shop, before and after.

# %% tags=["nbval-ignore-output", "stage:lost"]
from workshop_helpers import probe

lost = probe({"base": MODEL, f"{ROWS}": many}, LANGUAGE, per_kind=20)
lost

# %% [markdown] lang="ja"
# 対策（一般の行を混ぜる）は `05_before_after` にあります。

# %% [markdown] lang="en"
# What helps (mixing in general rows) is in `05_before_after`.

# %% [markdown] lang="ja"
# ## 講演の表と、ここの表
#
# 講演の実測（2025年1月、講演者のマシン）は次のとおりです。
#
# | 講演のモデル | 行数 | 学習時間 | 効果 | 実用性 |
# | --- | ---: | ---: | :---: | --- |
# | TinyLlama 1.1B | 10 | 40秒 | △ | 検証用のみ |
# | Gemma3 1B | 10 | 27秒 | △ | 実験用 |
# | Qwen2.5 3B | 10 | 62秒 | ○ | 限定的に実用可 |
# | Qwen2.5 3B | 100+ | 10分 | ◎ | 実用レベル |
#
# 読むときの注意が3つあります。
#
# 1. **時間がそろっていません。** 講演の3つの資料で、TinyLlamaのデモは40秒、53秒、7.6秒と書かれています（7.6秒は5行だけの学習です）。時間はマシンと設定しだいで、モデルの良し悪しではありません。
# 2. **効果の印に、ものさしがありません。** △や◎が何問中何問かは書かれていません。この章の表は、すべて同じ質問への正答の割合です。
# 3. **「100+で実用」は条件つきです。** 講演の10行のデモは3エポックでした。同じ3エポックのまま100行にしても、上の図のとおり、このモデルは半分も答えられません。決め手は、行数と回数と学習率の組み合わせです。
#
# 自分の測定を、講演と同じ形で印字します。秒は学習だけの時間で、前に作ったアダプターを再利用したときは、作ったときの秒です。

# %% [markdown] lang="en"
# ## The talk's table and ours
#
# What the talk measured (January 2025, on the speaker's machine):
#
# | model in the talk | rows | training | effect | of use |
# | --- | ---: | ---: | :---: | --- |
# | TinyLlama 1.1B | 10 | 40 s | △ | for trying out only |
# | Gemma3 1B | 10 | 27 s | △ | for experiments |
# | Qwen2.5 3B | 10 | 62 s | ○ | within limits |
# | Qwen2.5 3B | 100+ | 10 min | ◎ | practical |
#
# Three things to bear in mind when you read it:
#
# 1. **The times disagree.** Three documents of the talk give 40, 53 and 7.6 seconds for the TinyLlama demo (the 7.6 seconds are for 5 rows). Time depends on machine and settings; it says nothing about the quality of a model.
# 2. **The effect has no yardstick.** How many questions out of how many a △ or a ◎ stands for is not said. The tables of this chapter all show the share of right answers to the same questions.
# 3. **"100+ is practical" has a condition.** The talk's demo with 10 rows ran 3 epochs. Keep these 3 epochs with 100 rows, and this model answers not even half, as the plot above shows. What decides is rows, times and rate together.
#
# Here is your own measurement in the form of the talk's. The seconds are those of training alone; where an adapter was found and taken again, those of the run that made it.

# %% tags=["nbval-ignore-output", "timed", "stage:table-and-ours"]
for label, report in tuned.items():
    print(f"{MODEL:8} {label:9} {report.seconds:6.1f} s  facts: {recall[label]:.0%}")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: 講演の表は嘘ではありませんが、条件が書かれていません。条件を書けば、食い違いの理由が分かります。
# - **指す**: 「100+」の行と、自分の「100 x 3」の行。
# - **遅れたら飛ばす**: 覚えたもの・忘れたものの節。05で見せています。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: the talk's table is not wrong, it lacks its conditions. With them, the disagreement explains itself.
# - **Point at**: the row "100+" there and the line "100 x 3" here.
# - **If late, skip**: the sections on learned and forgotten; chapter 05 has shown them.

# %% [markdown] lang="ja"
# ## 実用に必要なもの
#
# 講演の目安は、最小の実験が10〜20行で1分以内、実用レベルが100〜500行で10〜30分、本格運用が1000行以上で数時間です。この教材で測ったのは500行まで、モデルは名前の出ているものだけです。その範囲で言えるのは次のことです。
#
# - 事実1つにつき、**違う言い回しの行が何行か**要ります。行を選ぶときは、事実が抜けていないかを先に数えます。実在のモデル `smollm2` は、ステップ数をそろえて学習しても、1通りの言い回しでは評価用の質問の事実の27〜54 %、16通りでは83〜87 %を答えました（`mame` は1通りでも変わりません。記録は `results/` にあります）。
# - 行数より先に、**学習率とエポック数**を合わせます。少ない行で試し、再現率が動くことを確かめてから行を増やします。
# - 学習に使わない質問を取り分け、**矛盾と忘却**も同じ手間で測ります。
# - 1回の数字を信じません。行の選び方を変えて、せめて2回は学習します。

# %% [markdown] lang="en"
# ## What real use takes
#
# The talk's rule of thumb: 10–20 rows and a minute for the smallest experiment, 100–500 rows and 10–30 minutes for practical use, 1000 rows and more and some hours for production. This course has measured up to 500 rows, with the models that are named. Within that range:
#
# - Each fact needs **several rows in different words**. When you choose rows, count first whether a fact is missing. At equal steps a real model, `smollm2`, stated 27–54 % of the facts on the held-out questions after one wording of each, and 83–87 % after sixteen (`mame` does not need them; the record is in `results/`).
# - **Learning rate and epochs** come before the number of rows. Try with few rows, see recall move, then add rows.
# - Keep questions apart that are never trained on, and measure **contradictions and forgetting** with the same care.
# - Never trust a single figure. Train at least twice, with other rows.

# %% [markdown] lang="ja"
# ## 自分の行は足りているか
#
# 行を増やす前に、増やせば良くなるのかを測れます。行の一部だけの短い学習を何度か行い、曲線が上がり続けるか、平らになったかを見ます。あわせて、学習した行そのものにも答えさせます。行を知らないならエポック数、行は知っているのに聞き方が違うと答えられないなら言い回し、どの行にもない事実なら行そのものが足りません。
#
# 下は記録です。ボタンを押すと、同じことをここで測ります（数分かかります。途中で止めても続きから再開できます）。自分のデータなら `workshop curve` が同じことをします。

# %% [markdown] lang="en"
# ## Are your own rows enough?
#
# Before you write more rows you can measure whether they would help: train a few times on a part of the rows, and see whether the curve still rises or is flat. The training rows themselves are asked, too. Rows that are not known need epochs; rows that are known, but only in their own words, need other wordings; and a fact that stands in no row needs a row.
#
# Below is the record. The button measures the same here (some minutes; stop it, and it goes on from there). For data of your own `workshop curve` does it.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import rows_curve

rows_curve(MODEL, shop.train[:ROWS], shop.questions, runs / "curve")

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを書いて実行し、その下のセルで確かめます。合っているかどうかと、その理由が出ます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the one below: it says whether you are right, and why.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("09", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. どれがいちばん効く？** 記録のエポックの曲線で、再現率の中央値が初めて7割に達するのは何エポックですか。`recorded.curve("epochs")` の各点には `.first.epochs` と `.recall` があります。

# %% [markdown] lang="en" tags=["exercise"]
# **1. How often is often enough?** On the recorded curve of epochs, at how many epochs does the median of recall first reach 70 percent? Each point of `recorded.curve("epochs")` has `.first.epochs` and `.recall`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = next(p.first.epochs for p in recorded.curve("epochs") if p.recall >= 0.7)
answer

# %% tags=["check"]
right = min(p.first.epochs for p in recorded.curve("epochs") if p.recall >= 0.7)
exercises.check("epochs", answer, right, pitfalls={3: "epochs-three", 100: "epochs-rows"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2. 同じ手間なら？** モデルが行を見た回数は「行数 × エポック数」です。25行を10エポックと、100行を3エポックでは、行を見た回数が多いのはどちらで、再現率が高いのはどちらでしょう。`("25", "100")` のように、見た回数が多い方、再現率が高い方の順に答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **2. For the same effort?** A model sees rows × epochs rows in all. Of 25 rows for 10 epochs and 100 rows for 3, which sees more, and which states more facts? Answer as `("25", "100")`: first the one that sees more, then the one with the higher recall.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
seen = "25" if 25 * 10 > 100 * 3 else "100"
states = "25" if few_rows.recall > few_epochs.recall else "100"
answer = (seen, states)
answer

# %% tags=["check"]
better = "25" if few_rows.recall > few_epochs.recall else "100"
exercises.check("effort", answer, ("100", better), pitfalls={("25", better): "effort-seen"})

# %% [markdown] lang="ja" tags=["exercise"]
# **3. 運の幅** 記録の100行・標準レシピの点（`recorded.at("rows", 100)`）で、再現率の最大と最小の差は何ポイントですか。`.spread("recall")` は（最小、中央値、最大）を0から1で返します。

# %% [markdown] lang="en" tags=["exercise"]
# **3. The width of luck.** At the recorded point of 100 rows and the standard recipe (`recorded.at("rows", 100)`), how many percentage points lie between the greatest and the least recall? `.spread("recall")` gives (least, median, greatest) from 0 to 1.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
least, median, greatest = recorded.at("rows", 100).spread("recall")
answer = 100 * (greatest - least)
answer

# %% tags=["check"]
least, _, greatest = recorded.at("rows", 100).spread("recall")
points = 100 * (greatest - least)
exercises.check("luck", answer, points, within=0.05, pitfalls={greatest - least: "luck-share"})

# %% [markdown] lang="ja" tags=["exercise"]
# **4. 学習しないほうがまし？** 記録のエポックの曲線で、事実と矛盾する答えの割合（`.spread("contradicted")` の中央値）がいちばん高いのは何エポックの点ですか。

# %% [markdown] lang="en" tags=["exercise"]
# **4. Worse than nothing?** On the recorded curve of epochs, at how many epochs does the largest share of answers contradict a fact (the median of `.spread("contradicted")`)?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
worst = max(recorded.curve("epochs"), key=lambda point: point.spread("contradicted")[1])
answer = worst.first.epochs
answer

# %% tags=["check"]
worst = max(recorded.curve("epochs"), key=lambda point: point.spread("contradicted")[1])
exercises.check("worst", answer, worst.first.epochs, pitfalls={20: "worst-most"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** 「100行で学習したのに、価格を覚えません」。行を増やす前に、何を確かめますか。
#
# <details><summary>答え</summary>
#
# エポック数と学習率です。同じ100行でも、見せる回数が少なければ覚えません。学習に使った行そのものを聞いて、それも答えられないなら、学習が足りていません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** "I trained on 100 rows and it does not know the prices." What do you look at before you add rows?
#
# <details><summary>Answer</summary>
#
# The epochs and the learning rate. Rows that are seen too seldom are not learned, however many there are. Ask a training row itself: if the model cannot even answer that, it has not been trained enough.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **2.** 学習が足りないモデルの危ないところは何ですか。
#
# <details><summary>答え</summary>
#
# 黙るのではなく、数字を挙げて言い切る答え方だけを先に覚え、間違った数字を言うところです。だから再現率だけでなく、矛盾の割合も測ります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **2.** What is dangerous about a model that has learned too little?
#
# <details><summary>Answer</summary>
#
# It does not keep silent. It has picked up the manner of naming a figure, and names wrong ones. That is why contradictions are measured beside recall.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **3.** 図の帯は何を表していますか。帯が広い点を1回だけ測ると、何が起きますか。
#
# <details><summary>答え</summary>
#
# 行の選び方を変えて学習し直したときの、最小から最大までの幅です。広いところを1回だけ測ると、運の良し悪しを実力と取り違えます。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **3.** What does the band in the plots stand for, and what happens if you measure a wide point only once?
#
# <details><summary>Answer</summary>
#
# From the least to the greatest when only the choice of the rows changes. Measure a wide one once, and you take luck for skill.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 記録はモデル1つ、お店1軒のものです。大きなモデルでは、必要な行数もエポック数も学習率も変わります。形だけを参考にして、数字は自分で測ってください。
# - 点1つあたりの学習は2回（250行は1回）だけなので、帯は本当の幅より狭く見えます。
# - 記録には秒がありません。ほかの仕事と並べて測ったからです。

# %% [markdown] lang="en"
# ## Known to fail
#
# - The record is that of one model and one shop. A large model needs other rows, epochs and rates. Take the shape from here and measure the figures yourself.
# - A point stands on two trainings (that of 250 rows on one), so the bands look narrower than they are.
# - The record holds no seconds, because other work ran beside it.

# %% [markdown] lang="ja"
# ## まとめ
#
# - 「何行あれば」の答えは、エポック数と学習率を決めてからでないと出ません。
# - 学習が足りないモデルは、間違った数字を言い切ります。
# - 講演の表とここの表の食い違いは、条件を書けば説明がつきます。
# - 1回の数字ではなく、幅を見ます。

# %% [markdown] lang="en"
# ## In short
#
# - "How many rows" has no answer before epochs and learning rate are settled.
# - A model that has learned too little states wrong figures with confidence.
# - Where the talk's table and ours disagree, the conditions explain it.
# - Look at the spread, not at a single figure.

# %% tags=["closing"]
recorded_recall = [point.recall for point in recorded.curve("epochs", "mame")]
assert max(recorded_recall) - min(recorded_recall) > 0.5
assert recorded.at("rows", 25, "mame").recall > recorded.at("epochs", 3, "mame").recall
assert recorded.at("epochs", 3, "mame").recall < 0.5
assert set(mine) == {3, recipe.epochs} and len(result.rows) == 4
if MODEL == "mame":
    assert recall["10 x 3"] < recall[f"{ROWS} x 3"] < recall[f"{ROWS} x {recipe.epochs:g}"]
    assert lost.shares[f"{ROWS}"]["facts_in_prompt"] < lost.shares["base"]["facts_in_prompt"]

# %% [markdown] lang="ja"
# 次は `10_practical_approach` です。プロンプトから本格的な学習まで、どこで止まるかを決めます。

# %% [markdown] lang="en"
# Next comes `10_practical_approach`: from a prompt to a large training, and where to stop.
