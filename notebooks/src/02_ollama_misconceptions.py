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
# # 02 Ollamaの誤解を解く
#
# 「Modelfileを書いて `ollama create` したら、うちの会社のことを答えるモデルができた。Ollamaでファインチューニングできるんですね」。よく聞く話です。答えてくれるのは本当ですが、学習は起きていません。この章では、Modelfileを1行ずつ分解し、実際にモデルを作り、**重みが1バイトも変わっていないこと**をハッシュで確かめます。
#
# | | |
# |---|---|
# | 目標 | Modelfileの各行が何をするかを言え、学習したモデルとの違いをハッシュで示せる |
# | 時間 | 発表では5分、ひとりで15分 |
# | 使うもの | 同梱のお店のデータとベースモデル、あればOllama |
# | できるもの | ベースモデルのGGUF、10行で学習したモデルのGGUF |

# %% [markdown] lang="en"
# # 02 What Ollama does not do
#
# "I wrote a Modelfile, ran `ollama create`, and now the model knows our company. So Ollama can fine-tune!" One hears this a lot. The model does answer; it has learned nothing. In this chapter we take a Modelfile apart line by line, make a model of it, and let hashes prove that **not a single byte of the weights has changed**.
#
# | | |
# |---|---|
# | Goal | Say what each line of a Modelfile does, and show by hashes how a tuned model differs |
# | Minutes | 5 in the talk, 15 on your own |
# | Comes in | the bundled shop's data and a base model; Ollama, if there is one |
# | Goes out | the base model as GGUF, and a model tuned on 10 rows as GGUF |

# %% [markdown] lang="ja"
# ## パラメータ
#
# 変えるのはこのセルだけです。

# %% [markdown] lang="en"
# ## Parameters
#
# This is the one cell to change.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# Ollamaが動かすのはGGUFという形式のファイルなので、まずベースモデルをGGUFにします。そして、このファイルの `SHA-256` を控えておきます。中身が1ビットでも変われば、まったく違う値になる指紋です。

# %% [markdown] lang="en"
# Ollama runs files of a format called GGUF, so the base model becomes one first. And we write down the file's **`SHA-256`**, a fingerprint that comes out entirely different as soon as a single bit has changed.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import LoraRecipe, Shop, convert, file_hash, merge, runs_folder, train

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
f16 = convert(MODEL, runs / "base-F16.gguf")
before = file_hash(f16.path)
print(before)

# %% [markdown] lang="ja"
# どこで動かすかは、この機械に何があるかで決まります。Ollamaが応答すればOllamaを使い、なければ同じことをllama.cppでやります。どちらになったかは、次の行が言います。

# %% [markdown] lang="en"
# Where it runs depends on what this machine has: Ollama, if it answers, and otherwise llama.cpp, which does the same. The next line says which of the two it is.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import place_to_run

place = place_to_run(LANGUAGE)
print(place)

# %% [markdown] lang="ja"
# ## Modelfileを書く
#
# 講演のデモと同じように、お店の決まりをシステム文に書きます。例の会話も2つ付けます。

# %% [markdown] lang="en"
# ## Write a Modelfile
#
# As in the talk's demo, the shop's rules go into the system text. Two example conversations go with them.

# %% tags=["needed", "stage:modelfile"]
from workshop_helpers import prompted

modelfile = prompted(f16.path, system=shop.system_prompt, data=shop.train, shots=2, folder=runs)
modelfile = modelfile.setting(temperature=0, repeat_penalty=1)
print(modelfile.text())

# %% [markdown] lang="ja"
# `temperature` を0にすると、いつ聞いても同じ答えになります。`repeat_penalty` を1と書くのは、古いOllamaの既定値 `1.1` だと同じ数字の繰り返しまで嫌われて、5,000円が別の金額になることがあるからです。
#
# ## 1行ずつ分解する
#
# Modelfileで使える命令は、これで全部です。重みに関わるものに印を付けました。

# %% [markdown] lang="en"
# With `temperature` at 0 the same question always gets the same answer. `repeat_penalty` is set to 1 because the default of older Ollamas (`1.1`) holds repeated digits against a number too, and can turn 5,000 yen into something else.
#
# ## Line by line
#
# These are all the instructions that a Modelfile knows. Those that have to do with weights are marked.

# %%
from workshop_helpers import explain_modelfile

explain_modelfile(modelfile, LANGUAGE)

# %% [markdown] lang="ja"
# `FROM` は重みのファイルを**指し示す**だけ。`ADAPTER` はよそで学習した小さな差分を**重ねる**だけ。残りはすべて、重みの周りに置く文章と設定です。「学習する」という命令はどこにもありません。

# %% [markdown] lang="en"
# `FROM` merely **points** at a file of weights. `ADAPTER` merely **puts on** a small difference that was trained elsewhere. All the rest is text and settings around the weights. There is no instruction that says "learn".

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：Modelfileは、重みの周りに貼る付箋です。付箋をいくら貼っても、本の中身は変わりません。
# - **指す**：表の印のついた行。`FROM` と `ADAPTER` でさえ、重みを読むだけです。
# - **遅れたら飛ばす**：`RENDERER`、`PARSER`、`DRAFT` の行。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: A Modelfile is a set of sticky notes around the weights. No number of sticky notes changes the book.
# - **Point at**: the marked rows. Even `FROM` and `ADAPTER` only read weights.
# - **If late, skip**: the rows `RENDERER`, `PARSER` and `DRAFT`.

# %% [markdown] lang="ja"
# ## モデルを作って、聞いてみる
#
# 比べるために2つ作ります。システム文のない素のモデルと、いまのModelfileのモデルです。コマンドなら `ollama create NAME -f Modelfile` にあたります。

# %% [markdown] lang="en"
# ## Make the models, and ask
#
# We make two, to compare: a plain one without a system text, and the one of our Modelfile. On the command line this is `ollama create NAME -f Modelfile`.

# %% tags=["needed"]
plain = prompted(f16.path, folder=runs).setting(temperature=0, repeat_penalty=1)
base = place.create(f"{runs.name}-base", plain)
told = place.create(f"{runs.name}-prompted", modelfile)

# %% tags=["nbval-ignore-output", "stage:base-and-told"]
question = shop.questions[8]
print(question.question, question.facts, "\n")
for model in (base, told):
    print(f"{model.name}\n  {model.ask(question.question).text}\n")

# %% [markdown] lang="ja"
# お店の決まりを答えるようになりました。ここで「学習した」と思いたくなります。証拠を見ましょう。
#
# ## 証拠：重みは変わったか
#
# 対照として、**本当に学習した**モデルも1つ用意します。たった10行、数秒の学習です。それをマージして、GGUFにします。

# %% [markdown] lang="en"
# Now it states the shop's rules, and it is tempting to say that it has learned them. Look at the evidence.
#
# ## The evidence: did the weights change?
#
# For contrast we need a model that **was really trained**, if only on ten rows and for a few seconds. It is merged and becomes a GGUF as well.

# %% tags=["needed"]
recipe = LoraRecipe.for_model(MODEL).replace(epochs=3, batch_size=2)
few = train(MODEL, shop.train[:10], runs / "tuned-10", recipe)
merged = merge(few.adapter, runs / "model-10")
few_f16 = convert(merged.model, runs / "model-10-F16.gguf")
tuned = place.create(f"{runs.name}-tuned", prompted(few_f16.path, folder=runs))

# %% [markdown] lang="ja"
# Ollamaは、モデルの部品を1つずつ、中身の `SHA-256` を名前にして保存します。名前が同じなら、中身も同じです。3つのモデルの部品を並べます（Ollamaがない機械では、同じ値をファイルから計算しています）。

# %% [markdown] lang="en"
# Ollama stores each part of a model under the `SHA-256` of its content: equal names are equal contents. Here are the parts of all three (on a machine without Ollama the same values are computed from the files).

# %% tags=["nbval-ignore-output", "stage:proof"]
place.proof(base, told, tuned)

# %% [markdown] lang="ja"
# Modelfileで作ったモデルの重みは、ベースモデルと**同じ名前、同じ中身**です。学習したモデルは、10行でも別の値になりました。最初に控えたファイルの指紋とも照らし合わせます。

# %% [markdown] lang="en"
# The weights of the model that the Modelfile made have **the same name and so the same content** as the base model's. Ten rows of training were enough to give another value. Compare with the fingerprint that we wrote down at the start, too.

# %% tags=["needed", "nbval-ignore-output", "stage:same-weights"]
after = file_hash(f16.path)
print(after == before, told.weights == base.weights == before, tuned.weights == before)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：議論は要りません。ハッシュが同じなら、1バイトも変わっていません。
# - **指す**：「重み」の行の「同じ」と、学習したモデルだけが違う値であること。
# - **遅れたら飛ばす**：ファイルの指紋との照合。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: There is nothing to argue about. Where the hashes are equal, not one byte has changed.
# - **Point at**: the row of the weights, "same" for the prompted model and another value for the tuned one.
# - **If late, skip**: the comparison with the file's fingerprint.

# %% [markdown] lang="ja"
# ## なぜOllamaは学習しないのか：3つの理由の、いま
#
# 講演は理由を3つ挙げています。方向は正しいのですが、言い切りすぎた所と、その後に変わった所があります。
#
# 1. **設計思想**：Ollamaはモデルを動かす道具で、学習する道具ではない。→ いまもそのとおりです。2026年に中身が大きく変わった `0.30` にも、学習の機能はありません。
# 2. **技術的制限**：講演は「OllamaはGGUF、学習にはPyTorch形式が必要」と言います。→ 半分だけ正しい理由です。GGUFはLoRAアダプターも運べて、`ADAPTER` で重ねられます。llama.cppにはGGUFを学習する `llama-finetune` もあります（32ビットの重みだけ、実験中）。Ollamaの `0.30` はそのllama.cppでGGUFを動かしています。形式が禁じているのではなく、Ollamaに学習の部品がないのです。
# 3. **リソース**：講演は「学習にはGPUが必須、大量メモリ」と言います。→ 上の学習は、いま動いているこの機械で終わりました。大きなモデルでGPUがほしくなるのは本当ですが、必須ではありません。学習には動かすだけのときより多くのメモリが要る、が正確です。

# %% [markdown] lang="en"
# ## Why Ollama does not train: three reasons, revisited
#
# The talk gives three reasons. They point the right way, but some were put too strongly, and some things have changed since.
#
# 1. **Design**: Ollama is a tool that runs models, not one that trains them. → Still true. Its inside was rebuilt in 2026 (`0.30`), and there is no training feature in it.
# 2. **Technical limits**: "Ollama uses GGUF, and training needs PyTorch's format", says the talk. → Half a reason. GGUF can carry LoRA adapters, too, which `ADAPTER` puts on. llama.cpp has a `llama-finetune` that trains a GGUF (weights in 32 bits only, experimental), and since `0.30` it is llama.cpp that runs Ollama's GGUF files. The format forbids nothing; Ollama has no part that would train.
# 3. **Resources**: "training must have a GPU and a lot of memory", says the talk. → The training above finished on the machine that you are looking at. For large models you will want a GPU, but it is no must. What is right: training takes more memory than running.

# %% tags=["nbval-ignore-output", "timed"]
print(f"{few.rows} rows, {few.seconds:.1f} s, {few.device}")

# %% [markdown] lang="ja"
# では、Ollamaの立ち位置はどこでしょう。**学習は外で、実行はOllamaで**。学習したモデルをOllamaに載せる道は、06章から08章で歩きます。

# %% [markdown] lang="en"
# So where does Ollama belong? **Train elsewhere, run on Ollama.** The way there is what chapters 06 to 08 walk.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：Ollamaを責めているのではありません。動かす道具として優れていて、学習は別の道具の仕事です。
# - **指す**：学習にかかった秒数。GPUは使っていません。
# - **遅れたら飛ばす**：理由の2つ目の細部。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: This is no complaint about Ollama. It is very good at running models; training is another tool's job.
# - **Point at**: the seconds that training took, and what computed it.
# - **If late, skip**: the details of the second reason.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer = ...` の `...` を自分の答えに変えて、下の採点のセルを実行してください。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer in place of the `...` in `answer = ...` and run the check below it.

# %% tags=["needed"]
from dataclasses import replace

from workshop_helpers import Exercises

exercises = Exercises("02", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1　何が変わるか。** システム文だけを差し替えたモデル `other` を作りました。`told` と比べて、ダイジェストが変わった部品の `kind` を並べたリストを答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: what changes?** `other` is the same model with another system text. List the `kind` of every part whose digest differs from that of `told`.

# %% tags=["exercise", "nbval-ignore-output"]
one_fact = shop.facts.system_prompt(LANGUAGE, ["return_window"])
other = place.create(f"{runs.name}-other", replace(modelfile, system=one_fact))
print([part.kind for part in other.layers()])
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
one_fact = shop.facts.system_prompt(LANGUAGE, ["return_window"])
other = place.create(f"{runs.name}-other", replace(modelfile, system=one_fact))
digests = {part.digest for part in told.layers()}
answer = [part.kind for part in other.layers() if part.digest not in digests]
answer

# %% tags=["check"]
exercises.check("changes", answer, lambda given: {*given} == {"system"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2　ディスク。** 同じベースモデルから、システム文の違うモデルを10個作りました。重みのために使うディスクは、全部で何バイトでしょう。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: the disk.** From one base model you make ten models with ten different system texts. How many bytes do their weights take on the disk, all together?

# %% tags=["exercise", "nbval-ignore-output"]
print(f16.size_bytes)
answer = ...

# %% tags=["solution"]
answer = f16.size_bytes

# %% tags=["check"]
size = f16.size_bytes
exercises.check("disk", answer, size, pitfalls={10 * size: "disk-ten", 11 * size: "disk-ten"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3　付箋の値段。** このModelfileは、1問ごとに素のモデルより何トークン多く読ませますか。`ask` の答えの `prompt_tokens` で調べてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: the price of the notes.** How many tokens more than the plain model does this Modelfile make it read for one question? The answer of `ask` has `prompt_tokens`.

# %% tags=["exercise"]
text = shop.questions[0].question
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
text = shop.questions[0].question
answer = told.ask(text).prompt_tokens - base.ask(text).prompt_tokens
answer

# %% tags=["check"]
read = [model.ask(shop.questions[0].question).prompt_tokens for model in (told, base)]
exercises.check("price", answer, read[0] - read[1], pitfalls={read[0]: "price-whole"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習4　付箋をはがす。** システム文から返品の決まりだけを抜いたモデルは、返品の質問に正しい日数（`question.facts`）を答えるでしょうか。作って聞いて、`True` か `False` で答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 4: take a note away.** Leave the rule about returns out of the system text. Does the model still name the right number of days (`question.facts`)? Make it, ask it, and answer `True` or `False`.

# %% tags=["exercise"]
question = shop.questions[8]
ids = [fact.id for fact in shop.facts if fact.id != "return_window"]
without = replace(modelfile, system=shop.facts.system_prompt(LANGUAGE, ids), messages=())
answer = ...

# %% tags=["solution"]
question = shop.questions[8]
ids = [fact.id for fact in shop.facts if fact.id != "return_window"]
without = replace(modelfile, system=shop.facts.system_prompt(LANGUAGE, ids), messages=())
bare = place.create(f"{runs.name}-without", without)
answer = question.facts[0] in bare.ask(question.question).text
answer

# %% tags=["check"]
bare = place.create(f"{runs.name}-without", without)
right = question.facts[0] in bare.ask(question.question).text
exercises.check("without", answer, right)

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** Modelfileに `MESSAGE` を百行書いて `ollama create` しました。モデルは学習しましたか。
#
# <details><summary>答え</summary>
#
# いいえ。会話のたびに、その百行を先に読むだけです。重みのダイジェストは同じままで、読むトークンだけが増えます。
#
# </details>
#
# **2.** `ADAPTER` を書いたModelfileなら、Ollamaが学習したことになりますか。
#
# <details><summary>答え</summary>
#
# いいえ。アダプターはよそで学習したファイルで、Ollamaは読み込むときに重ねるだけです。重みのファイルも変わりません。
#
# </details>
#
# **3.** `ollama create -q` で量子化すると、重みのダイジェストが変わります。これは学習でしょうか。
#
# <details><summary>答え</summary>
#
# 学習ではありません。重みを粗い目盛りに丸めただけで、データからは何も学んでいません。「重みが変わった」だけでは学習の証拠にならず、「変わっていない」ことは学習していない証拠になります。
#
# </details>
#
# **4.** 講演のModelfileにあった `PARAMETER temperature 0.7` は、モデルの知識を増やしますか。
#
# <details><summary>答え</summary>
#
# 増やしません。次のトークンの選び方が少し大胆になるだけです。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** You write a hundred lines of `MESSAGE` into a Modelfile and run `ollama create`. Has the model learned?
#
# <details><summary>Answer</summary>
#
# No. It reads those hundred lines before every conversation. The digest of the weights stays as it was; only the reading grows.
#
# </details>
#
# **2.** And with `ADAPTER` in the Modelfile: is it Ollama that has trained?
#
# <details><summary>Answer</summary>
#
# No. The adapter is a file that was trained elsewhere, and Ollama puts it on when it loads the model. Not even the file of weights changes.
#
# </details>
#
# **3.** `ollama create -q` quantizes, and the digest of the weights is another one. Is that training?
#
# <details><summary>Answer</summary>
#
# No. The weights were rounded to a coarser grid; nothing was learned from any data. That weights have changed does not prove training; that they have not changed proves there was none.
#
# </details>
#
# **4.** The talk's Modelfile says `PARAMETER temperature 0.7`. Does the model know more now?
#
# <details><summary>Answer</summary>
#
# No. It chooses its next token a little more boldly, that is all.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - Ollamaがない機械では、`TEMPLATE` の行は使われません。llama.cppはGGUFの中のチャットテンプレートを使います（答えは同じになります）。`ADAPTER` を書いたModelfileも、そこでは動かせません。
# - Ollamaに別の人が作った `:workshop` というタグのモデルがあって名前も同じなら、置き換えられます。

# %% [markdown] lang="en"
# ## Known to fail
#
# - Without Ollama, the `TEMPLATE` line is not used: llama.cpp takes the chat template inside the GGUF (the answers are the same). Nor does a Modelfile with `ADAPTER` run there.
# - If Ollama has a model of the same name that somebody else gave the tag `:workshop`, it is replaced.

# %% [markdown] lang="ja"
# ## まとめ
#
# - Modelfileは、重みの周りに文章と設定を置きます。学習する命令はありません。
# - 「学習したか」は、重みのダイジェストを比べれば分かります。同じなら、学習していません。
# - 付箋は便利です。ただし毎回読みます。はがせば忘れます。
# - 学習は外で、実行はOllamaで。それがこの講座の道筋です。

# %% [markdown] lang="en"
# ## In short
#
# - A Modelfile puts text and settings around the weights. No instruction trains.
# - Whether a model was trained, the digest of its weights tells: equal digests, no training.
# - Notes are handy. But they are read every time, and taken away they are forgotten.
# - Train elsewhere, run on Ollama: that is the way of this course.

# %% tags=["closing"]
assert after == before, "nobody wrote into the file of weights"
assert told.weights == base.weights != tuned.weights
assert place.proof(base, told, tuned).shared(told.name)
assert modelfile.text().startswith("FROM ./base-F16.gguf")
stated = [question.facts[0] in model.ask(question.question).text for model in (base, told)]
if MODEL == "mame":
    assert stated == [False, True]

# %% [markdown] lang="ja"
# 作ったモデルを片付けます。消えるのはこのノートブックがOllamaに作ったものだけで、GGUFのファイルは残ります。

# %% [markdown] lang="en"
# Tidy up. Only what this notebook made on Ollama is removed; the GGUF files stay.

# %% tags=["needed"]
place.close()

# %% [markdown] lang="ja"
# 次の章 `03_training_data` では、学習の材料になるデータを、モデルの目で見ます。

# %% [markdown] lang="en"
# Next, in `03_training_data`, we look at the rows to train on, with the model's eyes.
