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
# ファインチューニングの効果は、「なんとなく良くなった」では語れません。この章では、学習に使っていない質問を4つの相手に投げて、答えを1つずつ採点します。
#
# 1. ベースモデルそのまま
# 2. ベースモデル＋プロンプトにお店の決まりを書いたもの（プロンプトエンジニアリング）
# 3. 10行で学習したもの
# 4. 100行で学習したもの
#
# そして最後に、あまり語られないことも測ります。**学習の代償**です。

# %% [markdown] lang="en"
# # 05 Before and after
#
# "It feels better now" is not a measurement. In this chapter four candidates get questions that nobody was trained on, and every answer is scored:
#
# 1. the base model as it is
# 2. the base model with the shop's rules written into its prompt (prompt engineering)
# 3. the model tuned on 10 rows
# 4. the model tuned on 100 rows
#
# And at the end we measure something that is talked about far less: **what tuning cost**.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"
RUNS = "runs"

# %% [markdown] lang="ja"
# 材料をそろえます。前の章で学習したアダプターがあればそのまま使われ、なければここで学習します。

# %% [markdown] lang="en"
# The ingredients. If the previous chapter has left its adapters behind they are used as they are; if not, they are trained now.

# %%
from workshop_helpers import LoraRecipe, Shop, train

shop = Shop(LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
few = train(MODEL, shop.train[:10], f"{RUNS}/tuned-10", recipe.replace(epochs=3, batch_size=2))
many = train(MODEL, shop.train[:100], f"{RUNS}/tuned-100", recipe)

# %% [markdown] lang="ja"
# ## 評価用の質問
#
# 質問には、正しい答えに含まれるべき事実が付いています。言い回しは学習データのどの行とも違います。

# %% [markdown] lang="en"
# ## The held-out questions
#
# Each question comes with the facts that a right answer must state. Its wording appears in no training row.

# %%
print(len(shop.questions), "\n")
for question in shop.questions[:4]:
    print(question.question, "→", question.facts)

# %% [markdown] lang="ja"
# ## ライバルはプロンプト
#
# 2番の相手に渡すシステムプロンプトです。お店の決まりをそのまま書いただけで、重みは1つも変わりません。

# %% [markdown] lang="en"
# ## The rival: a prompt
#
# This is the system prompt that candidate 2 gets. It simply lists the shop's rules; not a single weight changes.

# %%
print(shop.system_prompt)

# %% [markdown] lang="ja"
# ## 同じ質問を、全員に
#
# 答えは毎回もっとも確率の高いトークンを選んで作るので、何度やっても同じになります。

# %% [markdown] lang="en"
# ## The same questions to everyone
#
# Answers are decoded greedily, always taking the likeliest token, so asking again gives the same answers again.

# %%
from workshop_helpers import compare

candidates = {"base": MODEL, "prompt": shop.prompted(MODEL), "10": few, "100": many}
result = compare(candidates, shop.questions)

# %% tags=["nbval-ignore-output", "timed"]
result

# %% [markdown] lang="ja"
# **事実の再現率**は、答えるべき事実のうち正しく述べられた割合です。**事実と矛盾**は違う数字を答えた割合、**根拠のない数字**は、お店の決まりにも質問にもプロンプトにもない数字を口にした割合です。再現率だけを見ていると、自信たっぷりの嘘を見落とします。次の図の赤い棒は、このどちらかがあった回答の割合です。

# %% [markdown] lang="en"
# **Facts stated** is the share of the expected facts that the answers give correctly. **Contradict a fact** counts answers with another amount in its place, and **invent a figure** those with a number that neither the shop's rules nor the question nor the prompt ever mentioned. Look at recall alone and you will miss the confident lie. In the next plot, the red bar is the share of answers with either of the two.

# %% tags=["nbval-ignore-output"]
result.bars()

# %% [markdown] lang="ja"
# 数字だけでは実感がわきません。差がいちばん大きかった質問を並べて読んでみます。緑は正しい事実、赤は間違った数字です。

# %% [markdown] lang="en"
# Figures are one thing, reading is another. Here are the questions on which the candidates differ most. Green is a fact stated right, red is a wrong figure.

# %% tags=["nbval-ignore-output"]
result.side_by_side(3)

# %% [markdown] lang="ja"
# ## 10行で何を学んだのか
#
# 10行で何かが変わったのでしょうか。答えが変わった質問を1つ選び、ベースモデルの答えと文字単位で比べてみます。消えた部分が赤、増えた部分が緑です。数字を間違えるようになった質問があれば、それを選びます。

# %% [markdown] lang="en"
# ## What did 10 rows teach?
#
# Did they change anything? Take a question whose answer changed, and compare with the base model's answer character by character: what went is red, what came is green. If there is a question that the model now answers with a wrong figure, that one is taken.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import diff

before, after = result.row("base"), result.row("10")
places = range(len(shop.questions))
changed = [i for i in places if before.answers[i].text != after.answers[i].text]
wrong = [i for i in changed if after.scores[i].contradicted and not before.scores[i].contradicted]
place = (wrong or changed or [0])[0]
print(f"{len(changed)} / {len(shop.questions)}\n")
print(shop.questions[place].question, shop.questions[place].facts)
diff(before.answers[place].text, after.answers[place].text)

# %% [markdown] lang="ja"
# 最初の行は、答えが変わった質問の数です。少ない行からまず移るのは、言い回しや長さ、「数字を挙げて言い切る」といった**答え方**です。どの質問にどの数字が対応するかという**中身**までは、10行では回数も種類も足りません。答え方だけを覚えて中身がないとき、モデルは数字を作ります。上の表の「事実と矛盾」と「根拠のない数字」を、ベースモデルの行と比べてください。
#
# 講演のデモ（TinyLlama、10行）でも同じことが報告されています。回答の構造は少し良くなり、\$6.99という送料は覚えませんでした。

# %% [markdown] lang="en"
# The first line counts the questions whose answer changed. What rubs off first from a few rows is a **manner of answering**: the wording, the length, the habit of naming a figure and being definite about it. The **substance**, which figure belongs to which question, does not: 10 rows show too little of it, too seldom. A model that has the manner without the substance makes figures up. Go back to the table and compare "contradict a fact" and "invent a figure" with the base model's line.
#
# The talk reports the same from its own demo with TinyLlama and 10 rows: the answers were structured a little better, and the shipping fee of \$6.99 was not learned.

# %% [markdown] lang="ja"
# ## 100行でも足りなかったところ
#
# 平均の裏に、取りこぼしは隠れていないでしょうか。100行で学習しても答えきれなかった質問を、最大5つ見ておきます。

# %% [markdown] lang="en"
# ## What 100 rows still got wrong
#
# What is hiding behind the average? Here are up to five questions that the model tuned on 100 rows did not answer fully.

# %% tags=["nbval-ignore-output"]
learned = result.learned("100", than="10")
print(f"{len(learned.gained) = }  {len(learned.lost) = }\n")
hundred = result.row("100")
missed = [i for i, score in enumerate(hundred.scores) if score.missing]
for i in missed[:5]:
    print(f"Q: {shop.questions[i].question}  {shop.questions[i].facts}")
    print(f"A: {hundred.answers[i].text}\n")
print(f"{len(missed)} / {len(shop.questions)}")

# %% [markdown] lang="ja"
# ## プロンプトにも値段がある
#
# プロンプトに書いておけば、学習しなくても事実を答えられます。どこまで正確かは、上の表のとおりです。講演のデモでも、Modelfileのシステムプロンプトに書くだけで期待どおりの料金が返ってきました。では、いつもプロンプトで十分なのでしょうか。1問ごとにモデルが読むトークンの数を比べてみます。

# %% [markdown] lang="en"
# ## A prompt has its price, too
#
# With the facts in the prompt a model can state them without any training; the table above says how reliably this one does. In the talk's demo a system prompt in a Modelfile was enough to get the right fees. So is prompting always enough? Here is how many tokens the model has to read for each question.

# %%
for row in result.rows:
    tokens = sum(answer.prompt_tokens for answer in row.answers) / len(row.answers)
    print(f"{row.name}: {tokens:.0f}")

# %% [markdown] lang="ja"
# プロンプトの分は、**毎回の質問で**読み直すことになります。決まりが少なく、よく変わるなら、それでもプロンプトが正解です。量が多い、答え方をそろえたい、何度も繰り返し使う。そういうときに、学習という選択肢が出てきます。
#
# ## 学習の代償を測る
#
# 重みは有限です。新しいことを覚えると、前にできたことが下手になることがあります。**破局的忘却**と呼ばれる現象です。お店とは関係のない質問で確かめます。
#
# - **一般知識**：足し算や曜日、身の回りの物のこと
# - **プロンプトの事実を答える**：別の架空のお店の決まりをプロンプトで渡し、それを答えられるか
# - **プロンプトにない数字を作らない**：プロンプトに書いていないことを聞かれて、数字をでっち上げないか

# %% [markdown] lang="en"
# What stands in the prompt is read anew for **every single question**. Few rules that change often? Then the prompt is still the right place for them. Many rules, one consistent manner of answering, the same task over and over: that is where training comes in.
#
# ## What tuning cost
#
# Weights are finite. Learning something new can make a model worse at what it could do before, which is called **catastrophic forgetting**. We test it with questions that have nothing to do with our shop:
#
# - **general knowledge**: little sums, days of the week, everyday things
# - **facts copied from the prompt**: the rules of some other imaginary shop are given in the prompt; does the model still state them?
# - **invents no figure when the prompt lacks the fact**: asked for something that is not in the prompt, does it keep from making a number up?

# %% tags=["nbval-ignore-output"]
from workshop_helpers import probe

cost = probe({"base": MODEL, "100": many}, shop.language, per_kind=30)
cost

# %% [markdown] lang="ja"
# 一番上の行が学習前、下が学習後です。下がったところが、学習で失ったものです。
#
# ## 忘れにくくする
#
# 昔からある対策は、**以前の種類のデータを少し混ぜて**学習することです。ここでは100行に、一般的な会話を20行（`general_rows=0.2`）混ぜます。

# %% [markdown] lang="en"
# The first line is before tuning, the second after. Wherever a share went down, that is what tuning took away.
#
# ## Softening it
#
# The time-honoured remedy is to **mix in some rows of the old kind**. To our 100 rows we add 20 general ones (`general_rows=0.2`).

# %% tags=["nbval-ignore-output"]
mixing = recipe.replace(general_rows=0.2)
out = f"{RUNS}/tuned-100-mixed"
mixed = train(MODEL, shop.train[:100], out, mixing, general=shop.general)
cost | probe({"100+general": mixed}, shop.language, per_kind=30)

# %% [markdown] lang="ja"
# では、肝心のお店の知識はどうなったでしょう。混ぜたせいで覚えが悪くなっていたら困ります。

# %% [markdown] lang="en"
# And the shop's facts, which this was all about? It would be a poor bargain if mixing had cost us those.

# %% tags=["nbval-ignore-output", "timed"]
compare({"100": many, "100+general": mixed}, shop.questions)

# %% [markdown] lang="ja"
# ## まとめ
#
# - プロンプトと学習は別の道具です。プロンプトは渡したその場で効き、学習は重みに残ります。
# - 少ない行から移るのは答え方です。事実を覚えさせるには、行の数と言い回しの種類が要ります。
# - 良くなったところだけでなく、**悪くなったところ**も同じ手間で測りましょう。
# - 一般の行を混ぜるのは、忘却を和らげる手軽な方法です。どれだけ効いたかは、上の表のとおりです。
#
# 次の章 `06_merge_and_gguf` では、アダプターを元のモデルに溶け込ませ、llama.cppやOllamaで動く形に変換します。

# %% [markdown] lang="en"
# ## In short
#
# - Prompting and tuning are different tools. A prompt works the moment it is given; training stays in the weights.
# - What rubs off from a few rows is the manner of answering. Facts need more rows, in more wordings.
# - Measure what got **worse** with the same care as what got better.
# - Mixing in general rows is an easy way to soften forgetting. How far it helped here is what the tables above say.
#
# Next, in `06_merge_and_gguf`, the adapter is merged into its base model and converted to the form that llama.cpp and Ollama run.
