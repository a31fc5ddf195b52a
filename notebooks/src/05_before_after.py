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
# # 05 学習の前と後を比べる
#
# 「なんとなく良くなった気がする」では、学習の効果を語ったことになりません。この章では、学習に一度も使っていない質問を4つの相手に投げて、答えを1つずつ採点します。相手は、ベースモデルそのまま、お店の決まりをプロンプトに書いたもの、10行で学習したもの、`ROWS` 行で学習したものです。発表では、ここが実演になります。
#
# | | |
# | --- | --- |
# | 目標 | プロンプトと学習を同じ質問で比べ、少ない行で移るものと移らないもの、そして学習の代償を、数字で言えるようになる |
# | 時間 | 発表では10分、ひとりで25分 |
# | 使うもの | モデル、お店のデータ（`Shop`）、04章のアダプター（なければここで学習します） |
# | できるもの | 4つの相手の答えと採点の表、学習の代償の表 |

# %% [markdown] lang="en"
# # 05 Before and after
#
# "It feels better now" is not a measurement. In this chapter, questions that nobody was trained on go to four candidates, and every answer is scored. The candidates are the base model as it is, the base model with the shop's rules in its prompt, the model tuned on 10 rows, and the model tuned on `ROWS` rows. In the talk, this is the live demo.
#
# | | |
# | --- | --- |
# | Goal | Compare prompting and tuning on the same questions, and say with figures what a few rows teach, what they do not, and what tuning costs |
# | Minutes | 10 in the talk, 25 on your own |
# | Comes in | A model, the shop's data (`Shop`), the adapters of chapter 04 (trained here if they are not there) |
# | Goes out | Four candidates' answers with their scores, a table of what tuning cost |

# %% [markdown] lang="ja"
# ## パラメータ
#
# `ROWS` は、多いほうの学習に使う行数です。

# %% [markdown] lang="en"
# ## Parameters
#
# `ROWS` is how many rows the larger training gets.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 材料
#
# 前の章のアダプターがあれば、それをそのまま使います。なければ、ここで学習します。どちらでも結果は同じです。

# %% [markdown] lang="en"
# ## The ingredients
#
# If the previous chapter has left its adapters behind they are used as they are; if not, they are trained now. The outcome is the same.

# %% tags=["needed", "stage:train-both"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
few = train(MODEL, shop.train[:10], runs / "tuned-10", recipe.replace(epochs=3, batch_size=2))
many = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)

# %% [markdown] lang="ja"
# 質問には、正しい答えに必ず入るはずの事実が付いています。言い回しは、学習データのどの行とも違います。

# %% [markdown] lang="en"
# Each question comes with the facts that a right answer must state. Its wording appears in no training row.

# %%
print(len(shop.questions), "\n")
for question in shop.questions[:4]:
    print(question.question, "→", question.facts)

# %% [markdown] lang="ja"
# ## ライバルはプロンプト
#
# 2番目の相手に渡すシステムプロンプトです。お店の決まりを並べただけで、重みは1つも変わりません。

# %% [markdown] lang="en"
# ## The rival: a prompt
#
# This is the system prompt that the second candidate gets. It lists the shop's rules, and not a single weight changes.

# %% tags=["stage:prompt"]
print(shop.system_prompt)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「学習したモデルの相手は、ただのベースモデルだけではありません。本当のライバルは、この数十行のプロンプトです」
# - **指す**：プロンプトのうち、送料の行。
# - **遅れたら飛ばす**：質問の一覧は見せずに、次の表へ。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "The tuned model is not up against the bare base model alone. The real rival is this one prompt."
# - **Point at**: the shipping fee among the rules.
# - **If late, skip**: the list of questions; go straight to the table.

# %% [markdown] lang="ja"
# ## 同じ質問を、全員に
#
# どのモデルも、毎回いちばん確率の高いトークンを選んで答えます。くじ引きをしないので、何度やっても同じ答えになります。

# %% [markdown] lang="en"
# ## The same questions to everyone
#
# Every model decodes greedily, always taking the likeliest token. No dice are thrown, so asking again gives the same answers again.

# %% tags=["needed"]
from workshop_helpers import compare

candidates = {"base": MODEL, "prompt": shop.prompted(MODEL), "10": few, f"{ROWS}": many}
result = compare(candidates, shop.questions)

# %% tags=["nbval-ignore-output", "timed", "stage:same-questions"]
result

# %% [markdown] lang="ja"
# **事実の再現率**は、答えるべき事実のうち正しく述べられた割合です。**事実と矛盾**は違う数字を答えた割合、**根拠のない数字**は、お店の決まりにも質問にもプロンプトにもない数字を口にした割合です。再現率だけを見ていると、自信たっぷりの嘘を見落とします。次の図では、この2つをまとめて斜線の棒にしました。
#
# **質問と同じ言語**の列は、当たり前に見えて大事です。講演の検証では、TinyLlamaは日本語のデータで学習したあとも英語で答え続けました。言葉そのものを知らないモデルに、少ない行で新しい言語は教えられません。

# %% [markdown] lang="en"
# **Facts stated** is the share of the expected facts that the answers give correctly. **Contradict a fact** counts answers with another amount in its place, and **invent a figure** those with a number that neither the shop's rules nor the question nor the prompt ever mentioned. Look at recall alone and you will miss the confident lie. In the next plot, the hatched bar puts these two together.
#
# **Right language** looks like a matter of course, and is not. In the talk's own trials, TinyLlama was tuned on Japanese rows and went on answering in English. A model that does not speak a language will not learn it from a handful of rows.

# %% tags=["nbval-ignore-output", "stage:bars"]
result.bars()

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「同じ質問、同じ採点です。1行目が学習前、下の2行が学習後、間にいるのがプロンプトです」
# - **指す**：再現率の列を上から下へ。それから、10行のモデルの斜線の棒。
# - **遅れたら飛ばす**：指標の定義。図だけ見せて、次の実演へ。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "The same questions, the same scoring. The first line is before tuning, the last two are after, and between them stands the prompt."
# - **Point at**: the column of facts from top to bottom, then the hatched bar of the model with 10 rows.
# - **If late, skip**: the definitions. Show the plot and move on to the demo.

# %% [markdown] lang="ja"
# ## 答えを並べて読む
#
# 数字だけでは実感がわきません。質問を選んで、答えを並べて読んでみましょう。青い実線は正しく述べた事実、朱色の破線は間違った数字や根拠のない数字です。自分の質問も、その場で全員に聞けます。
#
# ウィジェットの動かないページ（GitHubなど）には、相手どうしの差がいちばん大きい3問が出ます。

# %% [markdown] lang="en"
# ## Read the answers side by side
#
# Figures are one thing, reading is another. Pick a question and read the answers next to each other. Blue with a solid line is a fact stated right, orange-red with a dashed line is a wrong or invented figure. You can also put a question of your own to everyone on the spot.
#
# Where widgets do not run (on GitHub, for one) you see the three questions on which the candidates differ most.

# %% tags=["nbval-ignore-output", "timed", "stage:explorer"]
from workshop_helpers import explore

explore(result)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「ベースモデルは、丁寧だけれど何も約束しません。プロンプトと `ROWS` 行は、料金を言い切ります。10行は、その中間です」
# - **指す**：「誤りのある質問」に切り替えて、10行のモデルの朱色の破線。次に、客席からもらった質問を入力して「全員に質問する」。
# - **遅れたら飛ばす**：客席からの質問。用意した質問を1つ読み上げるだけにする。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "The base is polite and promises nothing. The prompt and the `ROWS` rows name the fee. The 10 rows are somewhere in between."
# - **Point at**: switch to "Someone is wrong" and show the dashed figures of the model with 10 rows. Then type a question from the audience and press "Ask everyone".
# - **If late, skip**: the question from the audience; read one of the prepared ones aloud instead.

# %% [markdown] lang="ja"
# ## 10行で学んだもの、学ばなかったもの
#
# 講演のまとめでは、10行の学習について「回答の構造や口調は移ったが、具体的な料金は覚えなかった」と言っています。実演のTinyLlamaは、送料を聞かれて、学習前は「情報を持っていない」、学習後は「場所によって変わる」と答え、\$6.99という金額は最後まで出てきませんでした。ここでも同じことが起きたでしょうか。まず、お手本の10行から、いくつか答えを見ておきます。

# %% [markdown] lang="en"
# ## What 10 rows taught, and what they did not
#
# The talk sums up its own 10 rows like this: structure and tone came across, the actual prices did not. Its TinyLlama, asked for the shipping costs, said before tuning that it had no such information and after tuning that they depend on the location; the \$6.99 never came. Is that what happened here? First, some answers from the 10 rows that served as the example.

# %%
for row in shop.train[:5]:
    print(row.messages[-1].content)

# %% [markdown] lang="ja"
# どれも短く、丁寧で、数字を言い切っています。では、**答え方**と**中身**を分けて数えてみます。
#
# - **文字数**・**です・ます**・**箇条書き**：答えの形
# - **1行目と同じ文**：ベースモデルと一字一句同じだった割合
# - **数字を言い切る**：ぼかさずに数字を挙げた割合
# - **うち正しい**：言い切った答えのうち、聞かれた事実を述べていた割合

# %% [markdown] lang="en"
# They are short, polite and definite: each names its figure. Now let us count the **manner** of answering apart from its **substance**.
#
# - **characters**, **in a list** and, in Japanese, **polite**: the form of an answer
# - **same words as the first**: the share that is the base model's answer, word for word
# - **name a figure**: the share that commits itself to a figure instead of hedging
# - **right, of these**: of those that commit themselves, the share that states a fact that was asked for

# %% tags=["nbval-ignore-output", "stage:habits"]
from workshop_helpers import manner

habits = manner(result)
habits

# %% [markdown] lang="ja"
# 少ない行からまず移るのは、お手本の「言い切る」という癖のほうです。どの質問にどの数字が対応するのかまでは、回数も種類も足りません。癖だけ覚えて中身がないとき、モデルは**自信を持って間違えます**。もともと丁寧に話すモデルなら、丁寧さの列は動きません。
#
# もう1つ、箇条書きの列も見てください。最初の10行に箇条書きは1行もなく、`ROWS` 行の中には混ざっています。**行にない形は、移りようがありません**。講演で箇条書きが「学習されなかったもの」に入っているのも、行数だけでなく、行の中身のせいかもしれません。
#
# 10行で間違えるようになった答えを1つ、ベースモデルと見比べます。

# %% [markdown] lang="en"
# What rubs off first from a few rows is their habit of being definite. Which figure belongs to which question takes more: 10 rows show too little of it, too seldom. A model that has the habit without the substance is **wrong with confidence**. And where the base is polite already, its politeness has nowhere to go.
#
# Look at the lists, too. None of the first 10 rows holds one, some of the `ROWS` rows do. **A form that is not in the rows cannot come across.** When the talk counts bullet lists among the things that were not learned, the cause may lie in what was in the rows, not only in how many there were.
#
# Here is an answer that the 10 rows turned wrong, next to the base model's.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import diff

wrong = result.of("base", "10").places("wrong") or (0,)
before, after = (result.row(label).answers[wrong[0]].text for label in ("base", "10"))
print(shop.questions[wrong[0]].question, shop.questions[wrong[0]].facts)
diff(before, after)

# %% [markdown] lang="ja"
# 朱色が消えた部分、青が増えた部分です。ほとんど全部が入れ替わったときは、上下に並べて見せています。
#
# 講演のQ&Aでは、料金を覚えなかった理由として、データが10行と少ないこと、モデルが1.1Bと小さいこと、3エポックと少ないことの3つを挙げています。ここで使った `mame` はそれよりずっと小さいモデルです（お店の会話を中心に育ててあるので、公平な比較ではありませんが）。それでも `ROWS` 行では覚えました。3つのうちどれがどれだけ効くのかは、09章で1つずつ動かして確かめます。

# %% [markdown] lang="en"
# Orange-red went, blue came. Where nearly everything was replaced, the two texts stand one below the other.
#
# Why were the prices not learned? The talk's Q&A names three reasons: only 10 rows, a model of only 1.1B parameters, only 3 epochs. Our `mame` is far smaller than that (not quite a fair comparison, since it was raised on shop talk), and yet with `ROWS` rows it learned them. How much each of the three matters is what chapter 09 finds out, moving one at a time.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「10行で覚えたのは言い切る癖です。料金ではありません。だから、学習前より危なくなることもあります」。講演のTinyLlamaでは、この学習が40秒から53秒でした。
# - **指す**：「数字を言い切る」と「うち正しい」の2列。10行の行で止まる。
# - **遅れたら飛ばす**：箇条書きの話と、見比べるセル。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "What 10 rows taught is the habit of being definite, not the prices. That can leave you worse off than before." In the talk, this training took TinyLlama 40 to 53 seconds.
# - **Point at**: the columns "name a figure" and "right, of these"; stop at the line of the 10 rows.
# - **If late, skip**: the lists, and the cell with the changed answer.

# %% [markdown] lang="ja"
# ## `ROWS` 行でも足りなかったところ
#
# 平均の裏に、取りこぼしは隠れていないでしょうか。`ROWS` 行で学習しても答えきれなかった質問を、プロンプトと並べて見ておきます。

# %% [markdown] lang="en"
# ## What `ROWS` rows still got wrong
#
# What is hiding behind the average? Here are some questions that the model tuned on `ROWS` rows did not answer fully, next to the prompt's answers.

# %% tags=["nbval-ignore-output"]
missed = result.of(f"{ROWS}").places("missed")
print(f"{len(missed)} / {len(shop.questions)}")
result.of("prompt", f"{ROWS}").side_by_side(missed[:3])

# %% [markdown] lang="ja"
# ## プロンプトにも値段がある
#
# 講演の比較表は、プロンプトの効果を「限定的」としています。ところが同じ講演の2つ目の実演では、決まりをシステムプロンプトに書いただけで、期待どおりの料金が返ってきました。正しいのは実演のほうです。**事実を渡していないプロンプト**では一般的な答えしか出ませんが、**事実を渡したプロンプト**は事実を答えられます。上の表のとおり、行数の少ない学習よりずっと正確です。
#
# では、いつもプロンプトで十分なのでしょうか。1問ごとにモデルが読むトークンの数を比べます。

# %% [markdown] lang="en"
# ## A prompt has its price, too
#
# In the talk's comparison the effect of a prompt is called "limited". And then, in the talk's own second demo, a system prompt with the rules in it was enough to get the right fees. The demo has it right. A prompt **without the facts** gets you general answers; a prompt **with the facts** states them, and as the table above shows, far more reliably than a few rows of training.
#
# So is prompting always enough? Here is how many tokens the model has to read for each question.

# %%
for row in result.rows:
    print(f"{row.name}: {row.prompt_tokens:.0f}")

# %% [markdown] lang="ja"
# プロンプトの分は、**毎回の質問で**読み直すことになります。決まりが少なくて、よく変わるなら、それでもプロンプトが正解です。量が多い、答え方をそろえたい、同じことを何度も繰り返す。そういうときに、学習という選択肢が出てきます。

# %% [markdown] lang="en"
# What stands in the prompt is read anew for **every single question**. Few rules that change often? Then the prompt is still the right place for them. Many rules, one consistent manner of answering, the same task over and over: that is where training comes in.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「プロンプトは負けていません。まずプロンプトを試す、というのが今日の結論の半分です。ただし、読む量が毎回これだけ増えます」
# - **指す**：ベースモデルとプロンプトのトークン数の差。
# - **遅れたら飛ばす**：取りこぼしの表。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "The prompt has not lost. Trying a prompt first is half of today's conclusion. But this is what it adds to the reading, every time."
# - **Point at**: the tokens of the base and of the prompt.
# - **If late, skip**: the questions that the larger training missed.

# %% [markdown] lang="ja"
# ## 学習の代償を測る
#
# 重みは有限です。新しいことを覚えると、前にできたことが下手になることがあります。**破局的忘却**と呼ばれる現象です。お店とは関係のない質問で確かめます。
#
# - **一般知識**：足し算や曜日、身の回りの物のこと
# - **プロンプトの事実を答える**：別の架空のお店の決まりをプロンプトで渡し、それを答えられるか
# - **プロンプトにない数字を作らない**：プロンプトに書いていないことを聞かれて、数字をでっち上げないか

# %% [markdown] lang="en"
# ## What tuning cost
#
# Weights are finite. Learning something new can make a model worse at what it could do before, which is called **catastrophic forgetting**. We test it with questions that have nothing to do with our shop:
#
# - **general knowledge**: little sums, days of the week, everyday things
# - **facts copied from the prompt**: the rules of some other imaginary shop are given in the prompt; does the model still state them?
# - **invents no figure when the prompt lacks the fact**: asked for something that is not in the prompt, does it keep from making a number up?

# %% tags=["needed", "nbval-ignore-output", "stage:forgotten"]
from workshop_helpers import probe

cost = probe({"base": MODEL, f"{ROWS}": many}, LANGUAGE, per_kind=20)
cost

# %% [markdown] lang="ja"
# 上の行が学習前、下の行が学習後です。下がったところが、学習で失ったものです。
#
# 昔からある対策は、**以前の種類のデータを少し混ぜて**学習することです。もう一度学習する時間がかかるので、ここでは演習にしました。混ぜる割合を変えて測った結果は、[測定結果](../results/README.ja.md)の表にあります。

# %% [markdown] lang="en"
# The first line is before tuning, the second after. Wherever a share went down, that is what tuning took away.
#
# The time-honoured remedy is to **mix in some rows of the old kind**. That takes another training, so here it is an exercise. What other shares of such rows do was measured, too: it stands in the tables of the [results](../../results/README.md).

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：「良くなったところだけ見せるのは、実演ではなく宣伝です。失ったものも同じ手間で測ります」
# - **指す**：学習で下がった列。
# - **遅れたら飛ばす**：3つのものさしの説明。「お店と関係のない質問です」とだけ言う。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: "To show only what got better is advertising. What was lost is measured with the same care."
# - **Point at**: the columns that went down.
# - **If late, skip**: what the three columns measure; say that the questions have nothing to do with the shop.

# %% [markdown] lang="ja"
# ## 演習
#
# 答えを `answer` に入れて実行し、その下のセルで確かめます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the cell below.

# %% tags=["needed"]
from workshop_helpers import Exercises, ask, score_answer

exercises = Exercises("05", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. プロンプトの値段**　1日に `questions_a_day` 問の質問が来るお店では、プロンプトに事実を書くと、書かない場合に比べて1日あたり何トークン余計に読むことになりますか。`result.row("base").prompt_tokens` のように、1問あたりの数が分かります。

# %% [markdown] lang="en" tags=["exercise"]
# **1. The price of the prompt**: a shop gets `questions_a_day` questions. How many tokens a day does it read more with the facts in the prompt than without? `result.row("base").prompt_tokens` is what one question takes.

# %% tags=["exercise"]
questions_a_day = 1000
answer = ...

# %% tags=["solution"]
questions_a_day = 1000
answer = questions_a_day * (result.row("prompt").prompt_tokens - result.row("base").prompt_tokens)
print(answer)

# %% tags=["check"]
with_facts, without = (result.row(label).prompt_tokens for label in ("prompt", "base"))
pitfalls = {1000 * with_facts: "price-whole", with_facts - without: "price-one"}
exercises.check("price", answer, 1000 * (with_facts - without), within=0.01, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **2. 満点の嘘**　`question` に対して、再現率は満点なのに、客には見せられない答えを書いてください。採点は `score_answer(answer, question, shop.facts)` で試せます。

# %% [markdown] lang="en" tags=["exercise"]
# **2. A lie with full marks**: write an answer to `question` whose recall is perfect and which no customer should ever see. Try it with `score_answer(answer, question, shop.facts)`.

# %% tags=["exercise"]
question = shop.questions[2]
print(question.question, question.facts)
answer = ...

# %% tags=["solution"]
question = shop.questions[2]
answer = f"{question.expected()[0][0]}, 77 %"
score_answer(answer, question, shop.facts)


# %% tags=["check"]
def lies(text):
    score = score_answer(text, question, shop.facts)
    return score.recall == 1 and bool(score.unsupported)


exercises.check("lie", answer, lies)

# %% [markdown] lang="ja" tags=["exercise"]
# **3. どちらにも難しい質問**　プロンプトと `ROWS` 行の学習の、**両方が**答えきれなかった質問は何問ありますか。`result.of("prompt").places("missed")` は、その相手が事実を言い落とした質問の番号です。

# %% [markdown] lang="en" tags=["exercise"]
# **3. Hard for both**: how many questions did **both** the prompt and the training on `ROWS` rows fail to answer fully? `result.of("prompt").places("missed")` holds the places of the questions where that candidate left a fact out.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
prompt = set(result.of("prompt").places("missed"))
tuned = set(result.of(f"{ROWS}").places("missed"))
answer = len(prompt & tuned)
print(len(prompt), len(tuned), answer)

# %% tags=["check"]
one, other = (set(result.of(label).places("missed")) for label in ("prompt", f"{ROWS}"))
pitfalls = {len(one | other): "both-either", len(one) + len(other): "both-sum"}
exercises.check("both", answer, len(one & other), pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **4. 料金が変わった**　速達の料金が `new` に変わりました。学習し直さずに、モデルに新しい料金を答えさせてください。モデルの答え（文章）を `answer` に入れます。`ask(MODEL, question.question, system=...)` が使えます。

# %% [markdown] lang="en" tags=["exercise"]
# **4. The fee has changed**: express shipping now costs `new`. Without training anything, make the model say so, and put its answer (a text) into `answer`. `ask(MODEL, question.question, system=...)` will help.

# %% tags=["exercise"]
question = shop.questions[2]
old = question.expected()[0][0]
new = old.translate(str.maketrans("48", "77"))
print(f"{old} → {new}")
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
question = shop.questions[2]
old = question.expected()[0][0]
new = old.translate(str.maketrans("48", "77"))
answer = ask(MODEL, question.question, system=shop.system_prompt.replace(old, new)).text
print(answer)

# %% tags=["check"]
exercises.check("change", answer, lambda text: new in text)

# %% [markdown] lang="ja" tags=["exercise"]
# **5. 忘れにくくする**　お店の行に一般的な会話の行を混ぜて学習し、忘れ方が軽くなるか確かめてください。割合は設定の `general_rows`（お店の行に対する割合）、混ぜる行は `train` の `general=shop.general` で渡します。学習したものを `probe` で測り、その結果を `answer` に入れます。学習に少し時間がかかります。

# %% [markdown] lang="en" tags=["exercise"]
# **5. Forgetting less**: mix general rows into the shop's, train, and see whether less is forgotten. `general_rows` of the recipe says how many (as a share of the shop's rows), and `general=shop.general` hands them to `train`. Measure the result with `probe` and put that into `answer`. The training takes a moment.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
mixing = recipe.replace(general_rows=0.2)
out = runs / f"tuned-{ROWS}-mixed"
mixed = train(MODEL, shop.train[:ROWS], out, mixing, general=shop.general)
answer = probe({f"{ROWS}+general": mixed}, LANGUAGE, per_kind=20)
cost | answer


# %% tags=["check"]
def forgets_less(report):
    (kept,) = report.shares.values()
    return sum(kept.values()) > sum(cost.shares[f"{ROWS}"].values())


exercises.check("mix", answer, forgets_less)

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **なぜ、評価用の質問の言い回しは学習データの行と違うのでしょうか。**
#
# <details><summary>答え</summary>
#
# 同じ文で聞くと、文を丸ごと覚えただけでも満点になるからです。本当に知りたいのは、初めて見る聞き方でも事実が出てくるかどうかです。
#
# </details>
#
# **再現率が高いモデルなのに、苦情が来ました。表のどこを見ますか。**
#
# <details><summary>答え</summary>
#
# 「事実と矛盾」と「根拠のない数字」の列です。正しい事実に嘘が1つ添えられていても、再現率は下がりません。
#
# </details>
#
# **10行の学習で「数字を言い切る」が増えたのに「うち正しい」が低いとき、何が起きていますか。**
#
# <details><summary>答え</summary>
#
# 言い切るという答え方だけが移り、どの質問にどの数字かという中身は移っていません。ぼかしていた頃より危ない状態です。
#
# </details>
#
# **料金が毎月変わるお店です。プロンプトと学習、どちらに料金を持たせますか。**
#
# <details><summary>答え</summary>
#
# プロンプト（または検索）です。書き換えればその場で変わります。学習した料金は重みに残り、変えるたびに学習し直しになります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **Why is the wording of the held-out questions different from every training row?**
#
# <details><summary>Answer</summary>
#
# Asked in the same words, a model gets full marks for having memorised a sentence. What you want to know is whether the fact comes out when the question is put in a way it has never seen.
#
# </details>
#
# **The model has a high recall, and still customers complain. Where in the table do you look?**
#
# <details><summary>Answer</summary>
#
# At "contradict a fact" and "invent a figure". A lie beside the right fact does not lower recall.
#
# </details>
#
# **After 10 rows more answers name a figure, but few of these are right. What has happened?**
#
# <details><summary>Answer</summary>
#
# The manner came across, the substance did not: being definite was learned, which figure belongs to which question was not. That is more dangerous than hedging was.
#
# </details>
#
# **A shop changes its fees every month. Do you put them into the prompt or into the weights?**
#
# <details><summary>Answer</summary>
#
# Into the prompt (or into a retrieval step): edit it, and the answers change at once. Fees that were trained stay in the weights, and each change means training again.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - `mame` が知っているのは、お店の会話と、ごく簡単な一般知識だけです。それ以外の質問や、全部大文字の文、打ち間違いのある文を入れると、意味の通らない答えが返ることがあります。
# - 自分の質問をすると、モデルを開いたままにします。大きなモデルでは読み込みに時間がかかり、メモリが足りなければ、前のモデルを閉じてから次を開くので、毎回待つことになります。
# - いくつかの答えは、プロセッサーの丸め方の違いで変わることがあります。表の数字が1、2問分ずれても、故障ではありません。
# - `ROWS = 10` にすると、2つの学習が同じフォルダー（`tuned-10`）を使おうとするので、あとのほうは「別の設定で学習したものがある」と言って止まります。10以外の行数でお試しください。

# %% [markdown] lang="en"
# ## Known to fail
#
# - `mame` knows shop talk and the simplest things in the world. A question about anything else, one in capitals, or one with a typo may bring back an answer that makes no sense.
# - A question of your own keeps the models open. A large one takes its time to load, and where memory is short the one before is closed first, so that you wait every time.
# - Processors round differently, and a few answers may differ on yours. A table that is off by a question or two is not broken.
# - With `ROWS = 10`, both trainings ask for the same folder (`tuned-10`), and the second stops and says that something trained by another recipe is there. Try any other number of rows.

# %% [markdown] lang="ja"
# ## まとめ
#
# - プロンプトと学習は別の道具です。プロンプトは渡したその場で効き、学習は重みに残ります。
# - 少ない行から移るのは答え方です。事実を覚えさせるには、行の数と言い回しの種類が要ります。
# - 良くなったところだけでなく、**悪くなったところ**も同じ手間で測りましょう。
# - 一般の行を混ぜるのは、忘却を和らげる手軽な方法です。どれだけ効くかは、測って確かめます。

# %% [markdown] lang="en"
# ## In short
#
# - Prompting and tuning are different tools. A prompt works the moment it is given; training stays in the weights.
# - What rubs off from a few rows is the manner of answering. Facts need more rows, in more wordings.
# - Measure what got **worse** with the same care as what got better.
# - Mixing in general rows is an easy way to soften forgetting. How far it helps is for a measurement to say.

# %% tags=["closing"]
tokens = {row.label: row.prompt_tokens for row in result.rows}
assert tokens["base"] == tokens["10"] == tokens[f"{ROWS}"] < tokens["prompt"]
assert all(len(row.answers) == len(shop.questions) for row in result.rows)
assert not any("\n" in row.messages[-1].content for row in shop.train[:10])
assert few.rows == 10 and many.rows == ROWS
if MODEL == "mame":
    recall = {row.label: row.summary.recall for row in result.rows}
    assert recall["base"] < 0.1 and recall["10"] < 0.2
    assert recall["prompt"] > 0.8 and recall[f"{ROWS}"] > 0.8
    assert habits.row("10").figures > habits.row("base").figures and habits.row("10").right < 0.5
    assert habits.row("10").lists == 0 < habits.row(f"{ROWS}").lists
    known = {label: sum(shares.values()) for label, shares in cost.shares.items()}
    assert known[f"{ROWS}"] < known["base"], "tuning took something away"

# %% [markdown] lang="ja"
# 次の章 `06_merge_and_gguf` では、アダプターを元のモデルに溶け込ませ、llama.cppやOllamaで動く形に変換します。

# %% [markdown] lang="en"
# Next, in `06_merge_and_gguf`, the adapter is merged into its base model and converted to the form that llama.cpp and Ollama run.
