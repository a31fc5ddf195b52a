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
# # 15 RAGか、学習か
#
# 「社内文書に答えさせたいのですが、RAGとファインチューニング、どちらがいいですか？」 よくある質問で、よくある答えは観点の並んだ表です。この章では、同じ90問に、プロンプト、検索、学習、その両方で答えさせ、表の升目を**測った値**で埋めます。そして明日、お店の決まりが変わります。
#
# | | |
# | --- | --- |
# | 目標 | プロンプト・検索・学習・両方の正答、費用、変更への強さを測り、自分の場合を選べる |
# | 時間 | ひとりで25分 |
# | 使うもの | お店の事実29件と評価用の質問90問、100行で学習したアダプター（なければここで作ります） |
# | できるもの | 検索の当たりやすさの表、今日と明日の正答の表、1問の費用 |

# %% [markdown] lang="en"
# # 15 Retrieval or fine-tuning
#
# "We want answers from our own documents: RAG or fine-tuning?" A common question, and the common answer is a table of viewpoints. In this chapter the same 90 questions go to a prompt, to a search, to a tuned model and to both together, and the cells of that table are filled with **what was measured**. Then comes tomorrow, and the shop changes its rules.
#
# | | |
# | --- | --- |
# | Goal | Measure right answers, cost and what a change does to prompt, search, tuning and both, and choose for your own case |
# | Minutes | 25 on your own |
# | Comes in | The shop's 29 facts and 90 held-out questions, and an adapter tuned on 100 rows (made here if it is not there) |
# | Goes out | A table of what each search finds, one of today and tomorrow, and the cost of a question |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、学習に使う行の数、言語の3つだけです。

# %% [markdown] lang="en"
# The model, the number of training rows and the language: there is nothing else to change.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## よくある比較表
#
# 元になった長いガイドの比較表から、測れる行を引用します。
#
# | 観点（引用） | ファインチューニング | RAG |
# | --- | --- | --- |
# | 知識の更新 | 再学習が必要 | ドキュメント追加のみ |
# | コスト（初期） | GPU時間・高コスト | ベクトルDB構築コスト |
# | コスト（運用） | 低（小モデル可） | 検索＋LLMトークン費用 |
# | レイテンシ | 低い | 検索オーバーヘッドあり |
# | 幻覚リスク | ある | 低減できる |
# | データプライバシー | 学習データが必要 | ドキュメントのみでOK |
#
# 章の終わりに、この表を測った値で書き直します。

# %% [markdown] lang="en"
# ## The usual table
#
# The lines that can be measured, quoted from the long guide that this course grew from:
#
# | viewpoint (quoted) | fine-tuning | RAG |
# | --- | --- | --- |
# | updating knowledge | train again | add a document |
# | cost to begin | GPU hours, high | building a vector database |
# | cost to run | low (a small model will do) | search + LLM tokens |
# | latency | low | overhead of the search |
# | risk of hallucination | there is one | can be reduced |
# | data privacy | needs training data | documents suffice |
#
# At the end of the chapter we write this table again, from what we measured.

# %% [markdown] lang="ja"
# ## 検索は、まず見つけなければならない
#
# 検索で答えるには、29の事実から正しい1つを見つけなければなりません。4つの方法を比べます。空白で区切るBM25（英語の見本コードの定番）、単語で区切るBM25（日本語はjanome）、文字の断片のBM25（日本語は2文字、英語は3文字）、そしてパッケージに入っている小さな埋め込みモデル（wordllama、ネットワーク不要）です。

# %% [markdown] lang="en"
# ## First, a search must find
#
# To answer from a search, the right one of 29 facts must be found. Four ways: BM25 over what stands between blanks (as sample code for English does it), BM25 over words (Japanese cut by janome), BM25 over pieces of characters (two in Japanese, three in English), and a small embedding model that comes inside a package (wordllama; no network).

# %% tags=["needed"]
from workshop_helpers import Shop, figures_table, found_facts

shop = Shop(LANGUAGE)
ways = ("blanks", "words", "pieces", "embedding")
searches = [{"search": way, **found_facts(shop, way)} for way in ways]
figures_table("15", searches, LANGUAGE)

# %% [markdown] lang="ja"
# 両方の言語の記録を並べます。

# %% [markdown] lang="en"
# Both languages, from the record:

# %%
from workshop_helpers import measured

measured("15_rag_or_finetuning", "searches", LANGUAGE)

# %% [markdown] lang="ja"
# 日本語を空白で区切ると1文が1語になり、どの質問でも点数は全部0です。それでも `rank_bm25` は文書を3つ返します。いつも同じ3つ、並びの最後のものです。エラーは出ません。**点数が0なら渡さない**のが最初の対策です。
#
# 埋め込みモデルは、英語ではいちばん、日本語では文字の断片に大きく負けました。英語の文章から作られ、日本語の文字をほとんど知らないからです。「意味で探すから言語を選ばない」とは限りません。自分の言語で測ってください。
#
# wordllamaには落とし穴が1つあります。0.4.0は、自分のパッケージに入っているトークナイザーを別の名前のフォルダーに探しに行き、なければネットワークから取ろうとします。`cache_dir` にパッケージのフォルダーを渡すと、つながずに動きます（この教材はそうしています）。
#
# ## 4つのやり方で答える

# %% [markdown] lang="en"
# Cut at blanks, a Japanese sentence is one word, and for every question all scores are 0. `rank_bm25` hands back three documents all the same: always the same three, the last of the list. No error tells you. **Pass on nothing that scores 0** is the first remedy.
#
# The embedding model is the best in English, and loses by far to pieces of characters in Japanese: it was made from English text and hardly knows Japanese letters. Searching "by meaning" does not make a search fit for every language. Measure in yours.
#
# wordllama has one trap. Version 0.4.0 looks for the tokenizer that lies in its own package in a folder of another name, and then tries to fetch it. Give the package's folder as `cache_dir`, and it works without a network (as this course does).
#
# ## Four ways to answer

# %%
from workshop_helpers import LoraRecipe, compare, retrieved, runs_folder, train

runs = runs_folder(MODEL, LANGUAGE)
tuned = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", LoraRecipe.for_model(MODEL))


def four_ways(shop):
    return {
        "prompt": shop.prompted(MODEL),
        "retrieval": retrieved(shop, MODEL, "pieces"),
        f"{ROWS}": tuned,
        "both": retrieved(shop, tuned.adapter, "pieces"),
    }


# %%
today = compare(four_ways(shop), shop.questions)

# %% tags=["nbval-ignore-output", "timed"]
today

# %% [markdown] lang="ja"
# `mame` は、プロンプトに書かれた数字を写すことを徹底的に練習したモデルです。だからプロンプトも検索も強い。何でもこうなるわけではありません。次はSmolLM2の記録です（英語、`results/real_models.json` から）。検索が**いつも正しい1件**を渡したと仮定しても、学習に届きませんでした。

# %% [markdown] lang="en"
# `mame` was trained hard to copy figures out of its prompt, so prompt and search do well. That is not the rule. Here is the record for SmolLM2 (English, from `results/real_models.json`): even with a search that **always hands over the one right fact**, it does not come up to tuning.

# %%
measured("15_rag_or_finetuning", "smollm2", LANGUAGE)

# %% [markdown] lang="ja"
# ## 明日、決まりが変わる
#
# 29の事実のうち10を変えます。送料も、保証期間も、定休日も別の値になりました。プロンプトと検索は、新しい文を渡すだけです。学習したモデルは昨日のままです。

# %% [markdown] lang="en"
# ## Tomorrow the rules change
#
# Ten of the 29 facts get another value: what shipping costs, how long things take. Prompt and search are simply given the new sentences. The tuned model is yesterday's.

# %%
from workshop_helpers import changed, fact_id

ids = [fact.id for fact in shop.facts][::3]
new_shop = changed(shop, ids)
news = [question for question in new_shop.questions if fact_id(question) in ids]
tomorrow = compare(four_ways(new_shop), news, shop=new_shop.facts)
print(len(ids), "facts,", len(news), "questions")
print(shop.facts.by_id(ids[0]).statement[LANGUAGE], "→", end=" ")
print(new_shop.facts.by_id(ids[0]).statement[LANGUAGE])

# %% [markdown] lang="ja"
# 比べるのは、変わった事実についての同じ質問の、今日と明日です。

# %% [markdown] lang="en"
# Compared are the same questions, those about the facts that changed, today and tomorrow.

# %% tags=["nbval-ignore-output"]
same = [place for place, question in enumerate(shop.questions) if fact_id(question) in ids]
table = []
for before, after in zip(today.rows, tomorrow.rows, strict=True):
    row = {"way": before.label}
    row["same_today_share"] = sum(before.scores[place].recall for place in same) / len(same)
    row["tomorrow_share"] = after.summary.recall
    row["contradicted_share"] = after.summary.contradicted
    row["prompt_tokens"] = round(before.prompt_tokens)
    table.append(row)
figures_table("15", table, LANGUAGE)

# %% tags=["nbval-ignore-output"]
from workshop_helpers import bootstrap, interval_plot

groups = [fact_id(question) for question in news]
recalls = {row.label: [score.recall for score in row.scores] for row in tomorrow.rows}
interval_plot({label: bootstrap(values, groups) for label, values in recalls.items()}, LANGUAGE)

# %% tags=["nbval-ignore-output"]
for row in (tomorrow.rows[0], tomorrow.rows[2]):
    wrong = [i for i, score in enumerate(row.scores) if score.recall < 1]
    for place in wrong[:3]:
        print(f"{row.label:7} expected {news[place].facts[0]}: {row.answers[place].text}")

# %% [markdown] lang="ja"
# 図の線は95%の区間です（事実ごとに引き直しています）。10の事実についての質問しかないので、区間は広くなります。それでも、学習したモデルとほかの差は運では説明できません。
#
# 学習したモデルは、昨日の値を自信たっぷりに答えます。「知らない」とは言いません。プロンプトと検索も満点ではありません。見つけ損ねたり、隣の事実を写したり、見慣れない値をありがちな値に写し間違えたりします。それでも、昨日の値に縛られてはいません。
#
# 「両方」の行も見てください。新しい事実を目の前に置いても、覚えた値を答えてしまうことがあります。事実を**覚えさせる**学習と、渡された事実を**読ませる**検索は、そのまま足すと引っ張り合うのです。

# %% [markdown] lang="en"
# The lines in the plot are 95 % intervals, drawn by fact. With questions about ten facts they are wide. Still, luck does not explain what parts the tuned model from the others.
#
# The tuned model gives yesterday's figures with full confidence. It does not say that it does not know. Prompt and search are not perfect either: a fact is not found, its neighbour is copied, or a rare amount is copied as a common one. But they are not tied to yesterday.
#
# Look at "both", too. With the new fact before its eyes it may still give the one it has learned. Tuning that makes a model **know** facts and a search that makes it **read** them pull against each other when simply added.

# %% [markdown] lang="ja"
# ## 両方を使うなら、読むことを学習させる
#
# 学習の各行に、その質問で見つかった3件の事実を付けておけばよさそうです。ところがそれだけでは足りません。プロンプトの値と答えの値がいつも同じなら、読んでも覚えても同じように正解するからです。そこで、4行のうち3行で、プロンプトと答えの値を**そろえて別の値に変えます**。これなら、読んだモデルだけが正解します。
#
# 同じ100行、同じレシピで学習した記録です。どれも学習1回ずつの値なので、数ポイントの差は運かもしれません。

# %% [markdown] lang="en"
# ## For both: teach it to read
#
# It seems enough to put the three facts that the search finds into each training row. It is not: where prompt and answer always hold the same amount, remembering is as good as reading. So in three of four rows **both get another amount**, the same in prompt and answer. Now only who reads is right.
#
# The record, with the same 100 rows and the same recipe. It is one training each, so a few points may be luck.

# %%
measured("15_rag_or_finetuning", "ways", LANGUAGE)

# %% [markdown] lang="ja"
# 日本語では、ただ足す、事実を付ける、値も変える、の順に変更後の正答が戻ってきます。英語では差が小さく、31問では運と区別がつきません。ただで戻るわけでもなく、値を変えると今日の正答は少し下がりました。そして `mame` では、どれも**検索だけ**に届いていません。写すのが得意なモデルに、わざわざ事実を覚えさせたからです。両方を足せば強くなる、とは決めつけられません。

# %% [markdown] lang="en"
# In Japanese the right answers after the change come back step by step: added up, with the facts in the rows, with other amounts as well. In English the differences are small, and 31 questions cannot tell them from luck. Nor is it free: with other amounts, a little of today is lost. And for `mame` none of them comes up to **search alone**: here was a model good at copying, and it was made to know facts instead. That both together are stronger cannot be taken for granted.

# %% [markdown] lang="ja"
# ## 1問の費用
#
# ガイドは検索そのものを遅れの原因に挙げています。測ってみましょう。29件から探す時間と、答えるのにかかる時間です。

# %% [markdown] lang="en"
# ## The cost of a question
#
# The guide blames the search for the delay. Let us measure: the time to search 29 facts, and the time to answer.

# %% tags=["nbval-ignore-output", "timed"]
import time

start = time.perf_counter()
for question in shop.questions:
    shop.search(question.question)
print(f"search: {1000 * (time.perf_counter() - start) / len(shop.questions):.2f} ms a question")
for row in today.rows:
    each = 1000 * row.seconds / len(row.answers)
    print(f"{row.label:10} {each:6.1f} ms, {row.prompt_tokens:5.0f} tokens read")
print(f"training, once: {tuned.seconds:.1f} s")

# %% [markdown] lang="ja"
# 探す時間は、答える時間に比べればわずかです。読むトークンほど秒に差が出ないのは、モデルが小さく、プロンプトの共通の前置きを90問まとめて1度しか読んでいないからです。1問ずつ別々に聞かれるときに効くのは**読むトークンの数**で、全部の事実を書いたプロンプトは、何も付けない質問の十数倍を読みます。API を使うなら、これがそのまま毎回の料金です（共通の前置きは割り引かれることもあります）。学習の費用は最初の1回ですが、事実が変わるたびにもう1回かかります。
#
# ## 書き直した表
#
# | 観点 | 学習 | 検索 | 測って分かったこと |
# | --- | --- | --- | --- |
# | 知識の更新 | 弱い | 強い | ガイドのとおり。学習したモデルは古い値を言い切ります |
# | 初期の費用 | 学習1回 | ほぼゼロ | 「高コスト」は大きなモデルの話。文書が少なければベクトルDBも不要です |
# | 運用の費用 | 質問だけ読む | 見つけた分も読む | 差を決めるのは検索の時間ではなく、読むトークンです |
# | 幻覚 | 古い値、覚え違い | 見つけ損ね、写し損ね | どちらもゼロにはなりません |
# | プライバシー | 重みに残る | 毎回サーバーへ送る | 「文書のみでOK」は誤解を招きます。どちらも相手に渡っています |
#
# 最後の行は測定ではなく、仕組みから言えることです。
#
# ## どれを選ぶか
#
# | 場合 | 選ぶもの | 根拠 |
# | --- | --- | --- |
# | 事実が少なく、プロンプトに収まる | プロンプト | 今日も明日も強く、準備がいらない |
# | 事実が多い、よく変わる | 検索（自分の言語で当たりやすさを測ってから） | 明日の列 |
# | 事実が変わらず、質問が多い | 学習 | 読むトークンがいちばん少ない |
# | モデルが渡した事実をうまく使えない | 学習 | SmolLM2の表 |
# | 口調や形式は固定、事実は変わる | 事実を付け、値も変えて学習し、検索も使う。必ず検索だけと比べる | 最後の表 |

# %% [markdown] lang="en"
# Searching takes next to nothing beside answering. That the seconds differ less than the tokens is because the model is small, and the beginning that all prompts share is read once for all 90. When questions come one at a time, what counts are **the tokens that are read**: a prompt with all facts reads well over ten times as much as the bare question. Behind an API that is the price of every question (a shared beginning may come at a discount). Training is paid once, and once more whenever a fact changes.
#
# ## The table, written again
#
# | viewpoint | tuning | search | what we measured |
# | --- | --- | --- | --- |
# | updating knowledge | weak | strong | as the guide says; the tuned model states old values with confidence |
# | cost to begin | one training | next to nothing | "high" is for large models; with few documents no vector database is needed |
# | cost to run | reads the question | reads what was found, too | the tokens that are read decide, not the time of the search |
# | hallucination | old values, wrong memories | not found, wrongly copied | neither comes down to zero |
# | privacy | stays in the weights | sent to the server each time | "documents suffice" misleads: both hand the data over |
#
# The last line was not measured; it follows from how the two work.
#
# ## Which to choose
#
# | case | choose | because of |
# | --- | --- | --- |
# | few facts, they fit into a prompt | prompt | strong today and tomorrow, nothing to prepare |
# | many facts, or changing ones | search, after measuring what it finds in your language | the column of tomorrow |
# | facts that stay, many questions | tuning | fewest tokens read |
# | a model that makes little of the facts it is given | tuning | the table of SmolLM2 |
# | fixed tone or form, changing facts | tuning on rows with facts and other amounts, and a search; always beside the search alone | the last table |

# %% [markdown] lang="ja"
# ## 経験則
#
# - **変わる事実は渡し、変わらない振る舞いは学習させます**。事実を重みに入れたら、変わるたびに学習し直す覚悟が要ります（明日の列が根拠です）。
# - 検索は、モデルより先に**検索だけ**を測ります。見つけられない事実には、どんなモデルも答えられません。
# - 両方を使うなら、事実を付けて値も変えた行で学習し、検索だけのときより良くなったかを確かめます。
#
# 限界：事実は29件で、文書も1文ずつです。長い文書を切り分ける難しさ、何万件からの検索、大きなモデルの読む力は、ここでは測っていません。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - **Hand over facts that change, train behaviour that stays.** Who puts facts into weights must be ready to train again with each change (the column of tomorrow is the ground for this).
# - Measure **the search alone** before any model. No model answers from a fact that was not found.
# - To use both, train on rows with the found facts and other amounts, and check that it beats the search alone.
#
# The limits: 29 facts of a sentence each. How to cut long documents, how to search tens of thousands, and how well large models read was not measured here.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて実行すると、下のセルが答え合わせをします。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and run it; the cell below checks it.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("15", LANGUAGE)
found = {row["search"]: row["found_share"] for row in searches}
tuned_reads, search_reads, training = 30, 80, 20000  # tokens

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：検索の天井** 渡された事実なら必ず正しく写すモデルがあるとします。`found` のうちいちばんよく見つける検索と組み合わせると、正答の割合は最大でいくつになりますか。0から1で答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: the ceiling of a search.** Take a model that copies every fact it is given without a mistake. With the search in `found` that finds most, what is the largest share of right answers? Answer from 0 to 1.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = max(found.values())
answer

# %% tags=["check"]
pitfalls = {1.0: "ceiling-all", min(found.values()): "ceiling-least"}
exercises.check("ceiling", answer, max(found.values()), within=1e-9, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：元が取れるのはいつ** 学習したモデルは1問30トークン、検索つきは1問80トークンを読みます。事実が変わるたびに学習し直し、その費用は20,000トークン分だとします。次の変更までに**何問より多く**聞かれれば、学習のほうが安くなりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: when does it pay?** The tuned model reads 30 tokens a question, the one with a search 80. With each change of facts it is trained again, at the price of 20,000 tokens. **More than how many** questions must come before the next change for tuning to be cheaper?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = training / (search_reads - tuned_reads)
answer

# %% tags=["check"]
exercises.check("pays", answer, 400, within=0.5, pitfalls={250: "pays-80", 2000 / 3: "pays-30"})

# %% [markdown] lang="ja"
# ## まとめ
#
# - 検索は、言語に合った切り方をしないと何も見つけません。空白区切りの日本語は、黙って全部外れます。
# - 学習したモデルは、決まりが変わっても昨日の答えを言い切ります。
# - 「両方」は、足すだけでは弱くなることがあります。読むことを学習させても、検索だけに勝つとは限りません。
# - 毎回の費用を決めるのは、読むトークンです。

# %% [markdown] lang="en"
# ## In short
#
# - A search finds nothing unless it cuts the language rightly. Japanese at blanks misses everything, silently.
# - A tuned model states yesterday's answer after the rules have changed.
# - "Both" can be weaker than one of them. Even training in reading need not beat the search alone.
# - What each question costs is decided by the tokens that are read.

# %% tags=["closing"]
share = {row["way"]: row for row in table}
assert share["prompt"]["prompt_tokens"] > 10 * share[f"{ROWS}"]["prompt_tokens"]
if LANGUAGE == "ja":
    assert found["pieces"] > found["embedding"]
    assert next(row for row in searches if row["search"] == "blanks")["nothing_share"] == 1
else:
    assert found["embedding"] == max(found.values())
if MODEL == "mame":
    assert share[f"{ROWS}"]["tomorrow_share"] < 0.1 < 0.7 < share[f"{ROWS}"]["same_today_share"]
    assert share["prompt"]["tomorrow_share"] > 0.7 and share["retrieval"]["tomorrow_share"] > 0.6
    assert share["both"]["tomorrow_share"] < share["retrieval"]["tomorrow_share"]

# %% [markdown] lang="ja"
# 学習したモデルが何を忘れ、どう壊れるのかは、次の章で1つずつ起こしてみます。

# %% [markdown] lang="en"
# What a tuned model forgets, and how it breaks, is provoked one by one in the next chapter.
