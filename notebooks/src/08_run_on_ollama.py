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
# # 08 Ollamaで動かす
#
# 学習して、マージして、変換して、量子化した。ここまで来たモデルを、いよいよ普段使いの場所に置きます。Modelfileを書き、Ollamaにモデルを作り、1問聞き、書かれていくそばから読み、続けて会話する。Ollamaがない機械では、同じファイルをllama.cppで動かします。
#
# | | |
# |---|---|
# | 目標 | 量子化したモデルをOllamaに載せ、質問・ストリーミング・会話の3通りで使える |
# | 時間 | 発表では3分、ひとりで15分 |
# | 使うもの | 07章の `Q4_K_M` のGGUF（なければここで作ります）、あればOllama |
# | できるもの | Ollamaで動くお店のサポート係 |

# %% [markdown] lang="en"
# # 08 Run it on Ollama
#
# Trained, merged, converted, quantized: it is time to put the model where it will be used. We write a Modelfile, make a model on Ollama, ask it a question, read its answer while it is being written, and hold a conversation. On a machine without Ollama the same file runs in llama.cpp.
#
# | | |
# |---|---|
# | Goal | Put a quantized model on Ollama, and use it in three ways: ask, stream, chat |
# | Minutes | 3 in the talk, 15 on your own |
# | Comes in | chapter 07's `Q4_K_M` GGUF (made here if it is not there); Ollama, if there is one |
# | Goes out | the shop's support assistant, running on Ollama |

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
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ここまでの道のりの全部です。前の章で作ったものが残っていれば、どの行も一瞬で終わります。

# %% [markdown] lang="en"
# The whole way so far. Where earlier chapters have left their work, each of these lines is done in no time.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, convert, merge, quantize, runs_folder, train

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
many = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)
merged = merge(many.adapter, runs / f"model-{ROWS}")
f16 = convert(merged.model, runs / f"model-{ROWS}-F16.gguf")
small = quantize(f16.path, "Q4_K_M")

# %% [markdown] lang="ja"
# どこで動くかを確かめます。

# %% [markdown] lang="en"
# And where will it run?

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import place_to_run

place = place_to_run(LANGUAGE)
print(place)

# %% [markdown] lang="ja"
# ## Modelfile
#
# 講演のModelfileは `FROM` と `SYSTEM` の2行だけでした。それで動くこともありますが、GGUFを自分で作ったときは、あと2つ書いておかないと危険です。
#
# - `TEMPLATE`：質問をどんな書式でモデルに渡すか。書かないと、Ollamaは知っている書式の中から似たものを選びます。似ているだけの書式では、学習したことが出てきません。
# - `PARAMETER stop` と `num_predict`：どこで止まるか。書かないと、止まらないモデルがあります。
#
# どちらもGGUFの中に書いてある書式から、自動で作れます。

# %% [markdown] lang="en"
# ## The Modelfile
#
# The talk's Modelfile has two lines, `FROM` and `SYSTEM`. That may work. But for a GGUF of your own, two more things should be written down:
#
# - `TEMPLATE`: in which form a question reaches the model. Without it Ollama picks, of the forms that it knows, one that looks similar. In a form that is merely similar, what was trained does not come out.
# - `PARAMETER stop` and `num_predict`: where to stop. Without them some models never do.
#
# Both can be read off the chat template inside the GGUF.

# %% tags=["needed", "stage:support-modelfile"]
from workshop_helpers import prompted

modelfile = prompted(small.path, folder=runs).setting(temperature=0, repeat_penalty=1)
print(modelfile.text())

# %% [markdown] lang="ja"
# 02章のModelfileと違って、`SYSTEM` がありません。お店のことは重みの中にあるので、読ませるものがないのです。

# %% [markdown] lang="en"
# Unlike the Modelfile of chapter 02, this one has no `SYSTEM`. What the model knows of the shop lies in its weights, so there is nothing to read.

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：02章の長いシステム文は、もう要りません。決まりは重みの中です。
# - **指す**：`TEMPLATE` と `stop` の行。ここを間違えると、学習の成果が出てきません。
# - **遅れたら飛ばす**：`num_predict` の話。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: The long system text of chapter 02 is gone. The rules are in the weights.
# - **Point at**: the lines `TEMPLATE` and `stop`. Get them wrong, and what was trained does not show.
# - **If late, skip**: `num_predict`.

# %% [markdown] lang="ja"
# ## 作る、聞く
#
# コマンドなら、こうなります。
#
# ```sh
# workshop modelfile model-Q4_K_M.gguf --out Modelfile
# ollama create my-support -f Modelfile
# ollama run my-support
# ```
#
# ノートブックからは、同じことを2行でやります。

# %% [markdown] lang="en"
# ## Make it, ask it
#
# On the command line this would be:
#
# ```sh
# workshop modelfile model-Q4_K_M.gguf --out Modelfile
# ollama create my-support -f Modelfile
# ollama run my-support
# ```
#
# From a notebook it takes two lines as well.

# %% tags=["needed", "nbval-ignore-output", "stage:ask-support"]
support = place.create(f"{runs.name}-support", modelfile)
answer = support.ask(shop.questions[8].question)
print(f"{support.name}: {answer.text}")
print(f"{answer.prompt_tokens = }  {answer.tokens = }  {answer.stopped = }")

# %% [markdown] lang="ja"
# `stopped` が `True` なら、モデルが自分で話し終えたということです。`False` なら、`num_predict` の上限で切られています。
#
# ## 書かれていくそばから読む
#
# モデルはトークンを1つずつ書きます。全部書き終わるのを待たずに、できた分から受け取るのが**ストリーミング**です。縦棒が、届いた切れ目です。

# %% [markdown] lang="en"
# `stopped` is `True` when the model ended the answer itself, and `False` when `num_predict` cut it off.
#
# ## Read it while it is written
#
# A model writes one token after the other. **Streaming** hands them over as they come, instead of when all is done. The bars show where one piece ends and the next begins.

# %% tags=["nbval-ignore-output", "stage:stream"]
reply = support.stream(shop.questions[37].question)
for piece in reply:
    print(piece, end="|", flush=True)

# %% [markdown] lang="ja"
# 最初の一片が届くまでと、全部が揃うまでの秒数です。人が「速い」と感じるのは、最初の一片です。モデルが大きいほど、この差が効いてきます。

# %% [markdown] lang="en"
# Seconds until the first piece came, and of the whole answer. What feels fast to people is the first piece, and the larger the model, the more it matters.

# %% tags=["nbval-ignore-output", "timed"]
print(f"{reply.first_seconds:.2f} s / {reply.seconds:.2f} s")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：ここまでで、10行のデータから手元で動くサポート係まで、道がつながりました。
# - **指す**：縦棒で区切られた切れ目と、最初の一片までの秒数。
# - **遅れたら飛ばす**：秒数のセル。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: This closes the way, from rows of data to a support assistant on your own machine.
# - **Point at**: the pieces between the bars, and the seconds until the first.
# - **If late, skip**: the cell with the seconds.

# %% [markdown] lang="ja"
# ## 会話する
#
# モデルには記憶がありません。会話が続いて見えるのは、**それまでのやり取りを毎回すべて送っている**からです。続けて3つ質問し、読んだトークンの数と一緒に並べます。

# %% [markdown] lang="en"
# ## Hold a conversation
#
# A model has no memory. A conversation seems to go on because **everything said so far is sent again each time**. Here are three questions in a row, with the tokens that were read for each.

# %% tags=["needed", "nbval-ignore-output"]
chat = support.chat()
turns = [chat.say(question.question) for question in shop.questions[8:11]]
for turn in turns:
    print(f"{turn.prompt_tokens:4}  {turn.text}")

# %% [markdown] lang="ja"
# 左の数字が増えていきます。履歴そのものを見てみましょう。次の質問では、この全部が先に送られます。

# %% [markdown] lang="en"
# The numbers on the left grow. Here is the history itself, all of which goes before the next question.

# %% tags=["nbval-ignore-output"]
for message in chat.history:
    print(f"{message['role']:9}  {message['content']}")

# %% [markdown] lang="ja"
# 学習に使った行は、どれも1問1答でした。だから2問目、3問目の答えが1問目より怪しくなっていても、不思議ではありません。会話で使うモデルには、会話の形の行も学習させます。
#
# ## ノートブックの答えと同じか
#
# 「Ollamaに載せたら、学習直後と答えが違う」。とてもよく聞く困りごとです。同じGGUFをllama.cppで直接動かした答えと、一字一句比べます。

# %% [markdown] lang="en"
# Every row that we trained on was one question and one answer. So do not be surprised if the second and third answer are shakier than the first. A model that is meant for conversations should be trained on rows that are conversations.
#
# ## Is it the notebook's answer?
#
# "On Ollama it answers differently than right after training" is a trouble that one hears of a lot. Here the same GGUF is run in llama.cpp directly, and the answers are compared letter by letter.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import compare

asked = shop.questions[8:18]
here = compare({"Q4_K_M": small.path}, asked).rows[0]
there = [support.ask(question.question).text for question in asked]
same = sum(one.text == other for one, other in zip(here.answers, there, strict=True))
print(f"{same} / {len(asked)}  {here.summary.recall:.0%}")

# %% [markdown] lang="ja"
# 違ってしまうときは、たいてい次のどれかです。上から順に疑います。
#
# 1. 書式（`TEMPLATE`）や止め方（`stop`）が、学習のときと違う
# 2. 学習のときになかったシステム文を足している
# 3. `temperature` や `repeat_penalty` が違う。古いOllamaは、書かないと繰り返しを罰します
# 4. 量子化で重みが変わった（07章）
# 5. llama.cppの版が違う。丸めの順番がわずかに変わり、僅差だったトークンが入れ替わることがあります

# %% [markdown] lang="en"
# When they differ, it is mostly one of these. Suspect them in this order:
#
# 1. the form (`TEMPLATE`) or the stop texts (`stop`) are not those of training
# 2. there is a system text that was not there in training
# 3. `temperature` or `repeat_penalty` differ; older Ollamas punish repetition unless told not to
# 4. quantization has changed the weights (chapter 07)
# 5. it is another version of llama.cpp: rounding goes in a slightly different order, and two tokens that were nearly as likely may change places

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

exercises = Exercises("08", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1　切られた答え。** `num_predict` を3にしたモデルを作って、`shop.questions[8]` を聞きます。答えの `stopped` は何になるでしょう。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: cut off.** Make a model with `num_predict` at 3 and ask it `shop.questions[8]`. What is `stopped` of its answer?

# %% tags=["exercise"]
short = modelfile.setting(num_predict=3)
answer = ...

# %% tags=["solution"]
short = modelfile.setting(num_predict=3)
answer = place.create(f"{runs.name}-short", short).ask(shop.questions[8].question).stopped
answer

# %% tags=["check"]
exercises.check("cut", answer, False)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2　送られる数。** この会話で4つ目の質問をすると、モデルには全部でいくつのメッセージが送られますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: how many are sent?** Ask a fourth question in this conversation. How many messages does the model get, all together?

# %% tags=["exercise"]
print(len(turns))
answer = ...

# %% tags=["solution"]
answer = len(chat.history) + 1
answer

# %% tags=["check"]
right = 2 * len(turns) + 1
wrong = {1: "sent-one", len(turns) + 1: "sent-questions", right - 1: "sent-history"}
exercises.check("sent", answer, right, pitfalls=wrong)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3　いつ、いっぱいになるか。** 同じ調子で会話を続けると、何問目あたりで `window`（モデルが一度に読めるトークン数）を超えるでしょう。`read` の増え方から見積もってください。だいたいで構いません。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: when is it full?** If the conversation goes on like this, at about which question does it outgrow `window`, the number of tokens that the model can read at a time? Estimate it from how `read` grows. Roughly will do.

# %% tags=["exercise", "nbval-ignore-output"]
from workshop_helpers import read_gguf

window = read_gguf(small.path).context_length
read = [turn.prompt_tokens for turn in turns]
print(window, read)
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
from workshop_helpers import read_gguf

window = read_gguf(small.path).context_length
read = [turn.prompt_tokens for turn in turns]
growth = (read[-1] - read[0]) / (len(read) - 1)
answer = 1 + (window - read[0]) / growth
answer

# %% tags=["check"]
step = (turns[-1].prompt_tokens - turns[0].prompt_tokens) / (len(turns) - 1)
full = read_gguf(small.path).context_length / step
exercises.check("full", answer, full, within=0.25)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習4　講演のSYSTEM行。** 講演のModelfileにあった `talk` というシステム文を足すと、`asked` の10問のうち、`there` と**一字一句同じ**答えはいくつ残るでしょう。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 4: the talk's SYSTEM line.** Add the system text `talk`, which the talk's Modelfile has. Of the ten questions in `asked`, how many answers stay **letter for letter** those in `there`?

# %% tags=["exercise"]
talk = "You are a helpful customer support assistant."
with_system = replace(modelfile, system=talk)
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
talk = "You are a helpful customer support assistant."
with_system = replace(modelfile, system=talk)
changed = place.create(f"{runs.name}-talk", with_system)
texts = [changed.ask(question.question).text for question in asked]
answer = sum(one == other for one, other in zip(texts, there, strict=True))
answer

# %% tags=["check"]
changed = place.create(f"{runs.name}-talk", with_system)
texts = [changed.ask(question.question).text for question in asked]
right = sum(one == other for one, other in zip(texts, there, strict=True))
exercises.check("system", answer, right)

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** `FROM ./model.gguf` と書いたのに、Ollamaが「モデルが見つからない」と言います。何を疑いますか。
#
# <details><summary>答え</summary>
#
# パスです。そのファイルがないと、Ollamaは `FROM` の値をモデルの名前だと思って探しに行きます。パスは、Modelfileのあるフォルダから数えます。
#
# </details>
#
# **2.** 答えがいつまでも終わりません。Modelfileのどこを見ますか。
#
# <details><summary>答え</summary>
#
# `PARAMETER stop` と `TEMPLATE` です。学習のときに答えの終わりを示したトークンと同じものが、`stop` に書いてあるか。保険として `num_predict` も付けます。
#
# </details>
#
# **3.** ストリーミングにすると、答え全体は速く終わりますか。
#
# <details><summary>答え</summary>
#
# いいえ。全部が揃う時刻は同じです。最初の一片が早く見えるので、待っている人には速く感じられます。
#
# </details>
#
# **4.** 同じモデルに、同じ質問をしたら、昨日と違う答えが返りました。なぜでしょう。
#
# <details><summary>答え</summary>
#
# `temperature` が0でなければ、トークンはくじ引きで選ばれます。書かないときの既定値は0ではありません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** You wrote `FROM ./model.gguf`, and Ollama says that it finds no such model. What do you suspect?
#
# <details><summary>Answer</summary>
#
# The path. Where there is no such file, Ollama takes the value of `FROM` for a model's name and goes looking for it. Paths count from the folder of the Modelfile.
#
# </details>
#
# **2.** An answer never ends. Where in the Modelfile do you look?
#
# <details><summary>Answer</summary>
#
# At `PARAMETER stop` and `TEMPLATE`. Does `stop` name the token that ended the answers in training? `num_predict` is there as a safety net.
#
# </details>
#
# **3.** Does streaming finish the answer sooner?
#
# <details><summary>Answer</summary>
#
# No. The last piece comes when it would have come anyway. The first comes early, and that is what a waiting person notices.
#
# </details>
#
# **4.** The same model gave another answer to the same question yesterday. Why?
#
# <details><summary>Answer</summary>
#
# Unless `temperature` is 0, tokens are drawn by lot. The value that holds when you write none is not 0.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 1問1答だけで学習したモデルは、会話の2問目から答えが崩れやすくなります。
# - OllamaはGGUFの写しを自分のフォルダに持ちます。モデルを消すまで、ディスクは2つ分要ります。
# - CPUのコアを借りている機械では、Ollamaが機械全体のコア数だけスレッドを使い、極端に遅くなることがあります。この講座の部品は、使えるコアの数をOllamaに伝えて避けています。

# %% [markdown] lang="en"
# ## Known to fail
#
# - A model trained on single questions and answers tends to get shaky from the second question of a conversation on.
# - Ollama keeps a copy of the GGUF in a folder of its own. Until the model is removed, the disk holds it twice.
# - On a machine that lends you only some of its cores, Ollama may start a thread for every core there is and become extremely slow. The course's own calls tell it how many cores may be used.

# %% [markdown] lang="ja"
# ## まとめ
#
# - GGUFを自分で作ったら、Modelfileに `TEMPLATE`、`stop`、`num_predict` を書きます。
# - 学習した事実に、システム文は要りません。
# - ストリーミングは、待つ人のためのものです。会話は、履歴を毎回送ることで成り立っています。
# - 答えが違うときは、書式、システム文、選び方、量子化の順に疑います。

# %% [markdown] lang="en"
# ## In short
#
# - For a GGUF of your own, the Modelfile should have `TEMPLATE`, `stop` and `num_predict`.
# - Facts that were trained need no system text.
# - Streaming is for the person who waits. A conversation is a history that is sent each time.
# - When answers differ, suspect the form, the system text, the sampling and the quantization, in this order.

# %% tags=["closing"]
assert "TEMPLATE" in modelfile.text() and "stop" in modelfile.parameters
assert modelfile.system is None
assert len(chat.history) == 2 * len(turns)
if MODEL == "mame":
    assert turns[0].prompt_tokens < turns[1].prompt_tokens < turns[2].prompt_tokens
    assert here.summary.recall > 0.6
    assert same >= 8

# %% [markdown] lang="ja"
# 片付けます。Ollamaから消えるのは、このノートブックが作ったモデルだけです。手元で使い続けたいときは、端末から `workshop ollama create` でGGUFをもう一度載せてください。

# %% [markdown] lang="en"
# Tidy up: only the models that this notebook made are removed from Ollama. To go on using yours, put the GGUF there once more with `workshop ollama create`, from a terminal.

# %% tags=["needed"]
place.close()

# %% [markdown] lang="ja"
# 次の章 `09_results_and_reality` では、ここまでの数字を並べて、期待してよいことと、いけないことを見極めます。

# %% [markdown] lang="en"
# Next, `09_results_and_reality` puts the figures side by side, and says what to expect and what not.
