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
# # 03 学習データを用意する
#
# ファインチューニングの出来は、ほとんど学習データで決まります。しかも学習は、間違った行も正しい行も同じ熱心さで覚えます。だから学習の前に、データを**読み、調べ、直し、分けて**おきます。
#
# | | |
# | --- | --- |
# | 目標 | 良い行の条件を言える。集めたままのデータの欠点を見つけて直せる。モデルが実際に何を読み、どのトークンで学ぶのかを説明できる |
# | 時間 | 発表では5分、ひとりで20分 |
# | 使うもの | お店（まめマート）の学習データと、評価用の質問 |
# | できるもの | 点検済みの学習データと、学習用・検証用・評価用に分けたファイル |

# %% [markdown] lang="en"
# # 03 Training data
#
# How well fine-tuning works is mostly decided by the data. And training learns a wrong row just as eagerly as a right one. So before any training comes this: **read** the data, **check** it, **mend** it, **split** it.
#
# | | |
# | --- | --- |
# | Goal | Say what makes a good row; find and mend what is wrong with rows as they were collected; explain what the model really reads, and which tokens it learns from |
# | Minutes | 5 in the talk, 20 on your own |
# | Comes in | The training rows of the shop (Mame Mart), and its held-out questions |
# | Goes out | Rows that were checked, split into training, validation and test files |

# %% [markdown] lang="ja"
# 変えられるのは次の3つだけです。`MODEL` を変えると、チャットテンプレートとトークンの切れ目が変わります。

# %% [markdown] lang="en"
# Only these three can be changed. Another `MODEL` brings another chat template, and cuts the text into other tokens.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 1行の中身
#
# 学習データの1行は、質問と、それに対する模範解答です。モデルは、この解答をそっくり真似るように学習します。

# %% [markdown] lang="en"
# ## What a row is
#
# A row of training data is a question and the answer we would have liked to get. Training makes the model imitate exactly that answer.

# %% tags=["needed"]
from workshop_helpers import Shop, runs_folder

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
rows = shop.train[:ROWS]

# %% tags=["stage:row"]
for row in rows[:5]:
    print(f"Q: {row.question}\nA: {row.answer}\n")

# %% [markdown] lang="ja"
# 同じ1行でも、ファイルでの書き方は道具によって違います。名前が違うだけで、中身は同じです。どれを読んでも同じ行に戻るか、確かめます。

# %% [markdown] lang="en"
# Every tool writes such a row in its own way. The names differ, the content does not. Does the same row come back from each of them?

# %%
from workshop_helpers import row_in_formats

formats = row_in_formats(rows[0], LANGUAGE)
formats

# %% [markdown] lang="ja"
# 講演で紹介されたのは、いちばん上のAlpaca形式です。どの形式で集めてもかまいません。迷ったら、話し手の役割がはっきり書かれる `messages` が無難です。変換は `workshop data convert` でできます。

# %% [markdown] lang="en"
# The talk shows the first of them, Alpaca. Collect in whichever you like. If you have no preference, take `messages`, which says plainly who is speaking. `workshop data convert` turns one into another.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：学習データは「質問と模範解答」の組。それ以上でも以下でもない。
# - **指す**：形式ごとの書き方。名前は違っても、読み戻すと同じ行になる。
# - **遅れたら飛ばす**：形式の一覧。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: training data is pairs of a question and the answer we want. It is nothing more than that.
# - **Point at**: how each format writes it: other names, and the same row when read back.
# - **If late, skip**: the list of formats.

# %% [markdown] lang="ja"
# ## 良い行とは
#
# 講演の要点はひとつ、**具体的な数値とルールを書く**ことです。「送料は別途ご案内します」からは、何も学べません。回答に数字のある行を数えてみます。

# %% [markdown] lang="en"
# ## What makes a good row
#
# The talk has one point to make here: **write down concrete figures and rules**. Nothing can be learned from "we will tell you about shipping separately". How many of our answers hold a figure?

# %%
with_figures = [row for row in rows if any(sign.isdigit() for sign in row.answer)]
print(f"{len(with_figures)} / {len(rows)}")

# %% [markdown] lang="ja"
# もうひとつ大事なのは、**同じ事実を違う言い方で何度も**尋ねることです。1つの言い回しでしか見たことのない事実は、別の聞き方をされると出てきません。送料の行を抜き出します。

# %% [markdown] lang="en"
# As important: **ask for the same fact several times, in other words**. A fact that was only ever seen in one wording does not come up when someone asks for it differently. Here are the rows about the shipping fee.

# %%
fee = shop.facts.by_id("shipping_fee").values[LANGUAGE][0][0]
same_fact = [row for row in shop.train if fee in row.answer]
for row in same_fact[:4]:
    print(f"Q: {row.question}\nA: {row.answer}\n")

# %% [markdown] lang="ja"
# では、何行あれば足りるのでしょう。講演では、最低50〜100行で、100行を超えると実用的だとしています。講演の資料のあいだでも「推奨」は200〜500行だったり500〜1000行だったりと揺れています。行数だけでは決まらないからです。
#
# 目安より確かなのは、**量より質**という同じ資料の言葉です。写しただけの行は数に入りません。事実ひとつにつき何通りの聞き方があるか、を数えてください。

# %% [markdown] lang="en"
# So how many rows are enough? The talk asks for 50 to 100 at least and calls more than 100 practical. Between the talk's own papers the recommended number wavers: 200 to 500 in one, 500 to 1000 in another. A number of rows alone does not decide it.
#
# More reliable than any of these is what the same papers say about **quality before quantity**. A copied row does not count. Count in how many ways each fact is asked for.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：数字とルールを書く。同じ事実を、違う言い方で。
# - **指す**：送料の行。質問の言い方も、答えの書き方も違うのに、金額は同じ。
# - **遅れたら飛ばす**：行数の目安の話。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: write figures and rules, and each fact in several wordings.
# - **Point at**: the rows about shipping: questions and answers differ, the amount does not.
# - **If late, skip**: how many rows it takes.

# %% [markdown] lang="ja"
# ## 集めたままの行を調べる
#
# 本物のデータは、こんなにきれいではありません。FAQ、問い合わせの履歴、Webページから集めれば、必ず何かが混ざります。そこで、お店の行に**よくある欠点をわざと混ぜた**ファイルを作り、点検にかけます。

# %% [markdown] lang="en"
# ## Checking rows as they were collected
#
# Real data is never this tidy. Collect from an FAQ, from old tickets, from web pages, and something will have crept in. So let us take rows of the shop, **put the usual faults among them on purpose**, and run the check.

# %% tags=["needed"]
from workshop_helpers import check_rows, write_dirty_rows

known = {"against": shop.file("questions"), "facts": shop.facts, "model": MODEL}
dirty = write_dirty_rows(shop, runs / "dirty.jsonl")
report = check_rows(dirty.path, **known, language=LANGUAGE)

# %% tags=["stage:rows-checked"]
report

# %% [markdown] lang="ja"
# 渡したものは3つです。`against` は学習に混ざってはいけない評価用の質問、`facts` はお店の正しい決まり、`model` はトークンを数えるモデルです。コマンドなら `workshop data check` が同じことをします。`--html` を付けると、全部の行を見られるレポートになります。
#
# 見つかった欠点は、どれも実際の害につながります。空の回答は黙ることを教え、違う金額はお客様に間違いを伝え、評価用の質問は試験問題の漏洩です。
#
# ## 機械が直せるもの
#
# 同じ行の削除、見えない文字や余分な空白の削除は、意味を変えません。これは自動で直します。個人情報は、仮の名前や番号に置き換えます。何をどう直したかは、すべて記録に残ります。

# %% [markdown] lang="en"
# It was given three things: `against`, the held-out questions that must not be trained on; `facts`, what the shop really promises; and `model`, whose tokens are counted. On the command line `workshop data check` does the same, and with `--html` it writes a report of every row.
#
# All of these do harm. An empty answer teaches silence, a wrong amount is told to customers, and a held-out question among the rows means that the exam was handed out beforehand.
#
# ## What a machine can mend
#
# Taking out a copied row, an invisible character, a stray space changes no meaning, so that is done automatically. Stand-ins take the place of personal data. Every change is written down.

# %% tags=["needed"]
from workshop_helpers import clean

cleaned = clean(dirty.path, runs / "clean.jsonl", mask_personal=True, skip_faults=True)

# %%
print(f"{cleaned.rows} → {cleaned.kept}  {cleaned.counts}\n")
for change in cleaned.changes:
    print(change.diff())

# %% [markdown] lang="ja"
# 個人情報の行では、直す前の文が記録にも残っていません。一度学習してしまうと、モデルからその情報だけを消す方法はありません。だから、学習の**前**に消します。
#
# ## 人が決めるもの
#
# もう一度点検すると、機械には直せないものが残ります。どちらの金額が正しいのか。長すぎる回答をどこで分けるのか。これは、お店を知っている人にしか決められません。直せない行は、外します。

# %% [markdown] lang="en"
# For personal data not even the record of changes keeps what stood there before. Once trained in, there is no way to take just that out of a model again. So it goes **before** the training.
#
# ## What a person has to decide
#
# Check again, and what is left no machine can mend. Which of two amounts is right? Where should an answer that is too long be divided? Only someone who knows the shop can say. A row that cannot be mended is left out.

# %% tags=["needed"]
from workshop_helpers import leave_out

again = check_rows(cleaned.out, **known, language=LANGUAGE)
good = leave_out(cleaned.out, again, runs / "good.jsonl")

# %%
print(again.counts, "\n")
print(f"{dirty.rows} → {cleaned.kept} → {good.rows}")
check_rows(good.path, **known, language=LANGUAGE)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：学習は間違いも熱心に覚える。点検は学習より安い。
# - **指す**：違う金額、個人情報、評価用の質問の3件。見つけた行と、直し方が並んでいる。
# - **遅れたら飛ばす**：変更の記録。最後の行数だけ見せる。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: training learns mistakes eagerly, too. Checking is cheaper than training.
# - **Point at**: three findings: the wrong amount, the personal data, the held-out question. Each has its line, and what to do.
# - **If late, skip**: the record of changes. Show the number of rows at the end.

# %% [markdown] lang="ja"
# ## モデルが実際に読むもの
#
# モデルは「質問」や「回答」という項目を知りません。読むのは1本の文字列です。どこが誰の発言なのかは、**チャットテンプレート**が書き込む目印で分かります。まず目印の付け方、次に1行を入れた結果です。

# %% [markdown] lang="en"
# ## What the model really reads
#
# A model knows nothing of fields such as question and answer. It reads one string of text. Who says what in it is told by the markers of the **chat template**. First the template itself, then one row put into it.

# %% tags=["needed"]
from workshop_helpers import load_tokenizer

tokenizer = load_tokenizer(MODEL)

# %%
text = tokenizer.apply_chat_template(rows[0].to_messages(), tokenize=False)
print(tokenizer.chat_template, "\n")
print(text)

# %% [markdown] lang="ja"
# テンプレートはモデルごとに違います。学習と利用で別のテンプレートを使うと、モデルは見たことのない目印に戸惑い、せっかく学んだことが出てきません。自分で文字列を組み立てず、必ずモデルに付いてくるテンプレートを使います。
#
# ## どのトークンで学ぶのか
#
# 質問を当てる練習は要りません。学びたいのは答え方だけです。そこで、回答の部分にだけ**損失**（loss）を数えます。completion-only loss といいます。やり方は単純で、当てさせないトークンの正解を `-100`（数えない、の印）にするだけです。

# %% [markdown] lang="en"
# Every model has its own template. Train with one and use another, and the model meets markers it has never seen; what it learned does not come out. So never build that string by hand: use the template that comes with the model.
#
# ## Which tokens it learns from
#
# There is no point in practising to guess the question. All we want to teach is the answer, so **loss** is counted there only: completion-only loss. The trick is simple. Tokens that need not be predicted get `-100` as their label, which means "do not count".

# %%
row = rows[0]
prompt = tokenizer.apply_chat_template(
    row.prompt_messages(), tokenize=False, add_generation_prompt=True
)
start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
ids = tokenizer(text, add_special_tokens=False)["input_ids"]
labels = [-100] * start + ids[start:]
print(labels)
print(f"{len(ids)} tokens, loss on {sum(label != -100 for label in labels)}")

# %% [markdown] lang="ja"
# ほかの行でも見てみましょう。行を選び、`max_length` を動かしてください。下線が**学ぶトークン**、点線と取り消し線が**切り捨てられるトークン**です。

# %% [markdown] lang="en"
# Now look at other rows. Pick one, and move `max_length`. Underlined tokens are **learned from**; those struck through over a dashed line are **cut off**.

# %% tags=["needed"]
from workshop_helpers import explore_tokens

view = explore_tokens(MODEL, rows[:30], LANGUAGE)

# %% tags=["stage:loss-tokens"]
view

# %% [markdown] lang="ja"
# 学ぶトークンの最後は、回答の終わりを示す目印です。これにも損失があるから、モデルは**話し終えること**も学びます。`max_length` でここが切れた行は、いつまでも話し続けることを教えてしまいます。

# %% [markdown] lang="en"
# The last thing that is learned is the marker that ends an answer. Because it carries loss, the model also learns **to stop**. A row whose end was cut off by `max_length` teaches it to go on talking.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：質問は読むだけ、答えだけを学ぶ。話し終わりも学ぶ対象。
# - **指す**：下線のトークン。次に `max_length` を左へ動かし、最初に終わりの目印が切れるところ。
# - **遅れたら飛ばす**：テンプレートの中身と `labels`。表だけを見せる。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: the question is only read, the answer is learned, and so is where it ends.
# - **Point at**: the underlined tokens. Then move `max_length` to the left: the marker at the end goes first.
# - **If late, skip**: the template and the `labels`. Show the boxes only.

# %% [markdown] lang="ja"
# ## 分ける
#
# 学習に使った行で試験をしても、暗記を測るだけです。データは3つに分けます。
#
# - **学習用**：重みを変えるのに使う
# - **検証用**：学習率やエポック数を選ぶのに使う
# - **評価用**：最後に一度だけ、成績を測るのに使う
#
# 検証用で選び、評価用で測るのは、選んだ基準でそのまま測ると成績が良く見えすぎるからです。もうひとつの落とし穴が、**よく似た質問が両側に分かれる**ことです。`split` は似た質問をまとめてから分けます。

# %% [markdown] lang="en"
# ## Splitting
#
# An exam on rows that were trained on only measures memory. Data is split three ways:
#
# - **training**: what the weights are changed with
# - **validation**: what learning rate and epochs are chosen by
# - **test**: what the result is measured on, once, at the end
#
# Choosing by one and measuring on the other, because whatever was chosen by some questions looks better on them than it is. The other trap: **nearly equal questions on both sides**. `split` puts those together before it deals them out.

# %%
from workshop_helpers import split

parts = split(shop.file("train"), runs / "split", ratios=(8, 1, 1))
others = [parts.files["validation"], parts.files["test"]]
leaks = check_rows(parts.files["train"], against=others, model=MODEL).of("leakage")
print(parts.rows, f"leaks: {len(leaks)}")

# %% [markdown] lang="ja"
# まめマートには、検証用と評価用の質問が初めから別に用意してあります。次の章からは、そちらを使います。

# %% [markdown] lang="en"
# Mame Mart comes with validation and test questions of its own. From the next chapter on, those are used.

# %%
print(f"{len(shop.train) = }  {len(shop.validation) = }  {len(shop.questions) = }")
question = shop.questions[0]
print(question.question, question.facts)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：評価用の質問は、学習にも設定選びにも使わない。
# - **指す**：`leaks` の数。似た質問が両側に分かれていないことを、分けたあとで確かめている。
# - **遅れたら飛ばす**：この節は口頭だけにする。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: test questions are for neither training nor choosing.
# - **Point at**: the count of `leaks`: after splitting we look whether similar questions ended up on both sides.
# - **If late, skip**: say this section without showing it.

# %% [markdown] lang="ja"
# ## 演習
#
# 答えを `answer` に入れて実行し、すぐ下のセルで確かめてください。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and let the one below check it.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("03", LANGUAGE)


def count(messages, **options):
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


# %% [markdown] lang="ja" tags=["exercise"]
# **1.** `rows` の全部の行について、損失を数えるトークンは全体の何割ですか。0から1の数で答えてください。`count(row.to_messages())` は1行のトークン数、`count(row.prompt_messages(), add_generation_prompt=True)` はそのうち読むだけの数です。

# %% [markdown] lang="en" tags=["exercise"]
# **1.** Over all of `rows`, what share of the tokens carries loss? Answer with a number from 0 to 1. `count(row.to_messages())` is the number of tokens of a row, `count(row.prompt_messages(), add_generation_prompt=True)` those that are only read.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
read = sum(count(row.prompt_messages(), add_generation_prompt=True) for row in rows)
whole = sum(count(row.to_messages()) for row in rows)
answer = (whole - read) / whole

# %% tags=["check"]
pairs = [
    (count(row.prompt_messages(), add_generation_prompt=True), count(row.to_messages()))
    for row in rows
]
right = 1 - sum(read for read, _ in pairs) / sum(whole for _, whole in pairs)
exercises.check("share", answer, right, within=0.01, pitfalls={1 - right: "share-read"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2.** `rows` のどの行も切り捨てずに済む、いちばん小さい `max_length` はいくつですか。

# %% [markdown] lang="en" tags=["exercise"]
# **2.** What is the smallest `max_length` that cuts nothing off any of `rows`?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = max(count(row.to_messages()) for row in rows)

# %% tags=["check"]
longest = max(whole for _, whole in pairs)
longest_prompt = max(read for read, _ in pairs)
exercises.check("length", answer, longest, pitfalls={longest_prompt: "length-prompt"})

# %% [markdown] lang="ja" tags=["exercise"]
# **3.** 速達の料金を尋ねる行の回答が「速達の料金については、別途ご案内いたします。」になっていました。学ぶ値打ちのある回答に書き直してください。正しい決まりは `shop.facts.by_id("express_fee")` にあります。

# %% [markdown] lang="en" tags=["exercise"]
# **3.** A row that asks for the express fee has this answer: "We will tell you about express fees separately." Rewrite it so that there is something to learn. What is true stands in `shop.facts.by_id("express_fee")`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = shop.facts.by_id("express_fee").statement[LANGUAGE]

# %% tags=["check"]
express = shop.facts.by_id("express_fee").values[LANGUAGE][0][0]
exercises.check(
    "rewrite",
    answer,
    lambda text: express in text and len(text) > len(express) + 4,
    pitfalls={express: "rewrite-bare"},
)

# %% [markdown] lang="ja" tags=["exercise"]
# **4.** 自動で直したあとにも残る**エラー**はいくつですか。`again` から読み取り、なぜ機械には直せないのかも考えてみてください。

# %% [markdown] lang="en" tags=["exercise"]
# **4.** How many **errors** are left after the automatic repairs? Read it off `again`, and think about why no machine could mend them.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = again.severities["error"]

# %% tags=["check"]
left = again.severities
before = {report.severities["error"]: "errors-before", sum(left.values()): "errors-all"}
exercises.check("errors", answer, left["error"], pitfalls=before)

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **Q1.** 質問の部分に損失をかけないのは、なぜですか。
#
# <details><summary>答え</summary>
#
# お客様の質問を予測できるようになっても、答えは良くならないからです。質問は読むだけにして、変えたいところ、つまり答え方だけを学ばせます。
#
# </details>
#
# **Q2.** 同じ行を3回ずつ書けば、データは3倍になりますか。
#
# <details><summary>答え</summary>
#
# なりません。エポック数を3倍にするのと同じことで、丸暗記が進むだけです。増やすなら、違う言い方で書きます。
#
# </details>
#
# **Q3.** `max_length` で回答の終わりが切れた行を学習すると、モデルはどうなりますか。
#
# <details><summary>答え</summary>
#
# 終わりの目印を見ないので、話し終えることを学びません。答えが終わらず、だらだらと続きます。
#
# </details>
#
# **Q4.** 評価用の質問を少し言い換えた行が学習データにありました。文字列は一致しません。問題でしょうか。
#
# <details><summary>答え</summary>
#
# 問題です。モデルにとっては、ほとんど同じ問題の答えを教わったことになり、成績が実力より良く出ます。だから点検は、似た質問や、丁寧な言葉を除くと同じになる質問も探します。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **Q1.** Why is there no loss on the question?
#
# <details><summary>Answer</summary>
#
# Being able to predict what customers ask makes no answer better. The question is read, and only what we want to change is learned: the answer.
#
# </details>
#
# **Q2.** If every row stands there three times, is that three times the data?
#
# <details><summary>Answer</summary>
#
# No. It is the same as three times the epochs, and the rows are learned by heart. To have more, write it in other words.
#
# </details>
#
# **Q3.** The end of an answer was cut off by `max_length`. What does such a row teach?
#
# <details><summary>Answer</summary>
#
# Not to stop. The model never sees the marker that ends an answer, so its own answers do not end either.
#
# </details>
#
# **Q4.** A training row asks a test question in slightly other words. The strings are not equal. Is that a problem?
#
# <details><summary>Answer</summary>
#
# It is. The model has been told the answer to almost the same question, and the result looks better than it should. That is why the check also looks for questions that are nearly equal, or equal once the courtesies are gone.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 点検が見つけるのは、**形から分かる欠点**だけです。`facts` に書かれていない決まりの間違いは、人が読まないと分かりません。
# - 人名を見つける規則は完全ではありません。置き換えたから安全、ではなく、公開前に人の目で確かめてください。
# - TRLは、`messages` 形式の行では `completion_only_loss=True` を何も言わずに無視します。この教材では、学習の直前に質問と回答を分けて渡すので、上の表のとおりに学習します。

# %% [markdown] lang="en"
# ## Known to fail
#
# - The check finds what can be told **by its form**. A rule that is wrong and not in `facts` is seen by a reader only.
# - The rules that find people's names are not complete. Masked does not mean safe: before anything is published, someone has to look.
# - TRL ignores `completion_only_loss=True` for rows of `messages`, without a word. This course hands it question and answer apart, so what is trained is what the view above shows.

# %% [markdown] lang="ja"
# ## まとめ
#
# - 1行は質問と模範解答です。形式は違っても、中身は同じです。
# - 具体的な数値とルールを、違う言い方で何度も書きます。量より質です。
# - 点検し、機械に直せるものは自動で直し、残りは人が決めます。個人情報は学習の前に消します。
# - モデルが読むのは、テンプレートに入れた1本の文字列です。学ぶのは、回答とその終わりの目印だけです。
# - 学習用・検証用・評価用は、似た質問ごと分けます。

# %% [markdown] lang="en"
# ## In short
#
# - A row is a question and the answer we want. Formats differ, the content does not.
# - Write concrete figures and rules, and each in several wordings. Quality comes before quantity.
# - Check; let the machine mend what needs no judgement; decide the rest. Personal data goes before the training.
# - What the model reads is one string in its template. What it learns from is the answer and the marker that ends it.
# - Training, validation and test rows are split with similar questions kept together.

# %% tags=["closing"]
assert all(found.messages == rows[0].messages for found in formats.read.values())
assert set(dirty.planted) <= set(report.counts), "every fault that was put in is found"
assert good.rows < cleaned.kept < dirty.rows
assert check_rows(good.path, **known).severities["error"] == 0
assert labels[0] == -100 and labels[-1] != -100, "the question is read, the end is learned"
assert not leaks
assert len(same_fact) > 1 and len({row.question for row in same_fact}) == len(same_fact)

# %% [markdown] lang="ja"
# 次の `04_lora_training` では、ここで見た行を使って、いよいよ学習します。

# %% [markdown] lang="en"
# In `04_lora_training`, next, these rows are put to use: the training itself.
