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
# # 18 クラウドで学習する、Hubに置く
#
# GPUがなければ、他人のGPUに頼む手があります。行を送り、ジョブを待ち、できたモデルを名前で呼ぶ。手順は短いのに、つまずくところは決まっています。お金、鍵、途中で切れた待ち合わせ、そして**いつの間にか終わっていたサービス**です。この章では、本物のクライアントを手元の練習サーバーにつないで、アカウントなしでジョブの一生をたどります。最後に、できたモデルのカードを書き、Hubに送る一歩手前まで進みます。
#
# | | |
# | --- | --- |
# | 目標 | 送る前にトークンと費用を数え、落ちても続きから待てるジョブを書き、記録からモデルカードを作る |
# | 時間 | 25分 |
# | 使うもの | お店の行、練習サーバー（このマシンの中で動きます） |
# | できるもの | 3社の形式の行、ジョブを覚えたファイル、モデルカード、送るファイルの一覧 |

# %% [markdown] lang="en"
# # 18 Training in the cloud, and the way to the Hub
#
# Without a GPU you can ask for somebody else's: send rows, wait for a job, call the result by its name. The steps are few and the places to stumble are always the same: money, keys, a wait that broke off, and **a service that has quietly ended**. Here the real clients talk to a practice server on this machine, so a job's whole life can be lived without an account. At the end you write the card of a model and go to within one step of sending it to the Hub.
#
# | | |
# | --- | --- |
# | Goal | Count tokens and money before anything is sent, write a job that survives a crash, make a model card from records |
# | Minutes | 25 |
# | Comes in | The shop's rows and a practice server, which runs inside this machine |
# | Goes out | Rows in three formats, a file that remembers a job, a model card, the list of what would be sent |

# %% [markdown] lang="ja"
# いつものように、選ぶのはここだけです。

# %% [markdown] lang="en"
# As always, this is all there is to choose.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 60
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 2026年11月の地図
#
# まず、どこに頼めるのかを見ます。次の表は各社の告知とパッケージの中身からの引用です（2026年11月に読みました。ここでは測定していません）。この教材のもとになったガイドは2026年2月のもので、その後に大きく変わりました。
#
# | 提供元（引用） | ガイド（2026年2月） | 2026年11月 |
# | --- | --- | --- |
# | OpenAI | `gpt-4o-mini-2024-07-18` などを誰でも学習できる | 新規の利用は2026-05-07で締め切り。新しいジョブは2027-01-06まで。`gpt-4o` と `gpt-4.1` の系列、そこから学習したモデルは2027-01-14で終了 |
# | Google | `vertexai.tuning` で `gemini-1.0-pro` を学習 | `vertexai.tuning` は削除。`google-genai` の `client.tunings`（実験的）に移り、名前もGemini Enterprise Agent Platformに |
# | Anthropic | `client.beta.fine_tuning.jobs.create` でClaude 3 Haikuを学習 | そういうメソッドはありません。学習できたのはAmazon BedrockのClaude 3 Haikuだけで、多くのリージョンで2026-09-10に終了 |
# | Mistral | （記述なし） | 学習のAPIは廃止予定。後継はなし |
# | Together | （記述なし） | 受け付けています。公開モデルのLoRAです |
#
# つまり「GPUがなければOpenAI」というガイドの選び方は、新しく始める人にはもう使えません。それでもAPIの**形**は各社よく似ているので、一度覚えれば次に移れます。

# %% [markdown] lang="en"
# ## The map in November 2026
#
# First of all: who still takes a job? The table is quoted from the providers' notices and from what is inside their packages (read in November 2026, not measured here). The guide that this course began with dates from February 2026, and much has changed since.
#
# | provider (quoted) | the guide (February 2026) | November 2026 |
# | --- | --- | --- |
# | OpenAI | everybody can tune `gpt-4o-mini-2024-07-18` and others | no new customers since 2026-05-07; new jobs until 2027-01-06; the families `gpt-4o` and `gpt-4.1`, and what was tuned on them, end on 2027-01-14 |
# | Google | `vertexai.tuning` tunes `gemini-1.0-pro` | `vertexai.tuning` was removed; it is `client.tunings` of `google-genai` now, experimental, on what is called Gemini Enterprise Agent Platform |
# | Anthropic | `client.beta.fine_tuning.jobs.create` tunes Claude 3 Haiku | there is no such method; the only Claude that could be tuned was 3 Haiku on Amazon Bedrock, which ended in most regions on 2026-09-10 |
# | Mistral | (not mentioned) | the fine-tuning API is deprecated, without a successor |
# | Together | (not mentioned) | takes jobs: LoRA on open models |
#
# So the guide's advice "no GPU: take OpenAI" is closed to whoever begins now. The **shape** of these APIs is much the same everywhere, though, and learned once it carries over.

# %% [markdown] lang="ja"
# ## 同じ行、3つの形式
#
# OpenAIとTogetherは `messages`、Googleは `contents` と `parts` です。役割の名前まで違います（`assistant` と `model`）。書き換えは `write_cloud_rows` がします。会話のほかの欄は送りません。

# %% [markdown] lang="en"
# ## The same row in three formats
#
# OpenAI and Together take `messages`, Google `contents` with `parts`, and even the roles have other names (`assistant` and `model`). `write_cloud_rows` converts. No field but the conversation is sent.

# %% tags=["needed"]
from workshop_helpers import Shop, runs_folder, write_cloud_rows, write_conversations

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE) / "cloud"
rows = write_conversations(shop.train[:ROWS], runs / "rows.jsonl").path
for provider in ("openai", "google"):
    sent = write_cloud_rows(rows, provider, runs / f"{provider}.jsonl")
    print(f"{provider}: {sent.read_text(encoding='utf-8').splitlines()[0]}")

# %% [markdown] lang="ja"
# ## 送る前に、数える
#
# 料金はトークンの数で決まります。ガイドの検証ツールは「1トークン ≈ 4文字」で数えていました。英語ならだいたい合います。日本語ではどうでしょう。OpenAIの語彙（`o200k_base`）で実際に数えた記録を見てください。

# %% [markdown] lang="en"
# ## Count before you send
#
# What you pay for is tokens. The guide's checking tool counted "a token is about 4 characters". For English that is nearly right. And for Japanese? Here is what OpenAI's own vocabulary (`o200k_base`) makes of our rows.

# %%
from workshop_helpers import measured

measured("18_cloud_and_hub", "tokens", LANGUAGE)

# %% [markdown] lang="ja"
# 日本語の行では、4文字で割った数は本当の0.39倍と0.36倍しかありません。**費用は2倍半以上に外れます。** この教材の見積もりは、日本語の文字は1.5で、ほかの文字は4.2で割ります。この2つの数は上の2行（`train`）から決めたので、そこで合うのは当たり前です。決めるのに使わなかった `general` では0.85倍と0.92倍で、少なめに出ました。見積もりは1割か2割、余裕を見ておきます。

# %% [markdown] lang="en"
# For the Japanese rows a quarter of the characters is only 0.39 and 0.36 of the truth: **the bill is off by more than two and a half times.** The estimate of this course divides Japanese characters by 1.5 and all others by 4.2. Both numbers were drawn from the first two lines (`train`), so it is no wonder that they fit there. On `general`, which had no part in that, it gives 0.85 and 0.92: too little. Leave 10 to 20 percent of room.

# %% [markdown] lang="ja"
# では、自分の行を調べます。何も送りません。公開モデルのトークナイザーが手元にあるなら、`tokenizer=` で正確に数えられます。価格は2026年2月のガイドからの引用で、100万トークンあたり3ドルです。いまの価格は提供元のページで確かめて、`price=` に渡してください。

# %% [markdown] lang="en"
# Now check your own rows. Nothing is sent. Where the tokenizer of an open model is at hand, `tokenizer=` counts exactly. The price is quoted from the guide of February 2026, 3 dollars for a million tokens: look today's up on the provider's page and pass it as `price=`.

# %% tags=["needed"]
from workshop_helpers import check_cloud_rows

name = "gpt-4o-mini-2024-07-18"
check = check_cloud_rows(rows, "openai", model=name, epochs=3)
print(f"{check.rows} rows, {check.tokens:,} tokens, {check.billed:,} trained, ${check.dollars:.3f}")
print(check.price)
print("faults:", check.faults)

# %% [markdown] lang="ja"
# ガイドの計算例は、行数×平均トークン数に単価を掛けていました。**エポック数が抜けています。** 課金されるのは学習したトークンなので、3エポックなら3倍です。答えるときのトークンは、これとは別に課金されます。
#
# 調べるのは数だけではありません。鍵や個人情報が混ざった行は、送る前に止めます。送ったものは取り消せないからです。

# %% [markdown] lang="en"
# The guide's sample sum multiplied rows by tokens by the price, and **left the epochs out**. What is billed are the tokens trained, so 3 epochs cost 3 times as much. Tokens of answers are billed besides.
#
# It is not only about counting. Rows that hold a key or somebody's address are stopped before they leave: what was sent does not come back.

# %%
import json

leak = runs / "leak.jsonl"
token = "ghp_" + "A1b2C3d4E5f6" * 3
bad = {"instruction": "How?", "input": "", "output": f"Log in with {token}."}
leak.write_text(rows.read_text(encoding="utf-8") + json.dumps(bad) + "\n", encoding="utf-8")
for fault in check_cloud_rows(leak, "openai").faults:
    print(fault)

# %% [markdown] lang="ja"
# ## ジョブの一生
#
# ここからは本物の `openai` パッケージを使います。ただし相手は、このマシンの中の練習サーバーです。何も学習しませんが、ファイルを受け取り、行を調べ、見るたびに一歩ずつ状態を進めます。
#
# 鍵は環境変数に入れます。セルにも、ファイルにも、コマンドの引数にも書きません。ここでは使い捨ての鍵を乱数で作ります。

# %% [markdown] lang="en"
# ## The life of a job
#
# From here on it is the real `openai` package, only that it talks to a practice server inside this machine. That trains nothing, but it takes the file, looks at the rows, and moves a job one step on each time somebody looks.
#
# The key goes into an environment variable: into no cell, no file, no command. Here a throw-away key is drawn by chance.

# %% tags=["needed"]
import json
import os
import secrets

from workshop_helpers import CloudOrder, PracticeServer, submit_cloud_job, wait_for_cloud_job

os.environ["PRACTICE_KEY"] = secrets.token_hex(16)
server = PracticeServer("openai", os.environ["PRACTICE_KEY"])
file = runs / "job.json"
file.unlink(missing_ok=True)
there = {"server": server.address, "key_env": "PRACTICE_KEY"}
job = submit_cloud_job(rows, file, "openai", CloudOrder(name, epochs=3, suffix="shop"), **there)
print(job.file, job.job, job.status)
print(server.requests)

# %% [markdown] lang="ja"
# 3つの要求が飛びました。ファイルを送る、**同じファイルのジョブがもうないかを聞く**、ジョブを始める。真ん中が、二重に払わないための一手です。そして `job.json` に、送ったファイルと始めたジョブの名前が残りました。
#
# 待ちます。ただし2回だけ見たところで、ノートパソコンを閉じることにします。

# %% [markdown] lang="en"
# Three requests went out: send the file, **ask whether it has a job already**, start the job. The one in the middle is what keeps you from paying twice. And `job.json` now holds the names of the file and of the job.
#
# Wait for it. After two looks, though, somebody closes the laptop.

# %% tags=["needed"]
from workshop_helpers import read_cloud_job

wait_for_cloud_job(file, every=0.1, looks=2, tell=lambda job: print(job.said))
del job
print("remembered:", read_cloud_job(file).job, read_cloud_job(file).status)

# %% [markdown] lang="ja"
# ガイドのプログラムは、ジョブの名前を変数にしか持っていませんでした。プロセスが終われば、支払い中のジョブを見失います。ここではファイルがあるので、別のプロセスが続きから待てます。次のセルは、新しいPythonを起動して待ちます。端末なら `workshop cloud wait runs/job.json` です。

# %% [markdown] lang="en"
# The guide's program kept the job's name in a variable: when the process ends, a job that is being paid for is lost from sight. Here there is the file, and another process goes on from it. The next cell starts a new Python that waits; in a terminal it would be `workshop cloud wait runs/job.json`.

# %%
import subprocess
import sys

code = """
import sys
from workshop_helpers import wait_for_cloud_job
job = wait_for_cloud_job(sys.argv[1], every=0.1)
print(job.job, job.status, job.tuned)
"""
env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
command = [sys.executable, "-c", code, str(file)]
done = subprocess.run(command, capture_output=True, text=True, env=env)
print(done.stdout)

# %%
from workshop_helpers import cloud_job_events

print("\n".join(cloud_job_events(file)))

# %% [markdown] lang="ja"
# 別のプロセスが、できたモデルの名前を印字しました。本物なら、この名前をそのまま `model=` に入れてチャットのAPIを呼びます。練習サーバーは学習していないので、答える真似はしません。
#
# 鍵はどこかに残ったでしょうか。ジョブのファイルを探します。

# %% [markdown] lang="en"
# The other process printed the tuned model's name. With a real provider you would put it into `model=` of the chat API. The practice server has trained nothing, so it does not pretend to answer.
#
# Has the key been left anywhere? Look into the job's file.

# %%
text = file.read_text(encoding="utf-8")
print("key in the file:", os.environ["PRACTICE_KEY"] in text)
print("what is there instead:", json.loads(text)["how"]["key_env"])

# %% [markdown] lang="ja"
# ## うまくいかないとき
#
# 本物でよく起きる4つを、わざと起こします。混んでいるサーバー（`429`）はクライアントが自分で何度か試すので、ここでは何もしません。鍵の間違い、知らないジョブ、行の不良は、それぞれ文で返ります。

# %% [markdown] lang="en"
# ## When it goes wrong
#
# Four things that happen with real providers, on purpose. A busy server (`429`) is asked again by the client itself, so there is nothing to do. A wrong key, an unknown job and bad rows each come back as a sentence.


# %% tags=["needed"]
def attempt(what, call):
    try:
        print(f"{what}: {call().status}")
    except Exception as error:
        print(f"{what}: {type(error).__name__}: {str(error).replace(server.address, 'SERVER')}")


def order(path, model=name):
    (runs / path).unlink(missing_ok=True)
    return submit_cloud_job(rows, runs / path, "openai", CloudOrder(model, 3), **there)


# %% tags=["needed"]
server.busy = 2
attempt("busy twice", lambda: order("busy.json"))
server.fails = "Line 7: the answer is empty."
order("fails.json")
attempt("a job that fails", lambda: wait_for_cloud_job(runs / "fails.json", every=0.1))
print(" ", read_cloud_job(runs / "fails.json").error)
right_key = os.environ["PRACTICE_KEY"]
os.environ["PRACTICE_KEY"] = "wrong-" + right_key
attempt("a wrong key", lambda: order("wrong.json"))
os.environ["PRACTICE_KEY"], server.fails = right_key, ""

# %% [markdown] lang="ja"
# いちばん高くつくのは、**ジョブは始まったのに、返事を受け取る前に落ちた**ときです。ファイルからジョブの名前を消して、その瞬間を作ります。もう一度注文すると、どうなるでしょう。

# %% [markdown] lang="en"
# The expensive one is this: **the job was started, and the process died before it heard of it**. Take the job's name out of the file and you have that very moment. What happens if it is ordered again?

# %% tags=["needed"]
before = len(server.jobs)
lost = json.loads((runs / "busy.json").read_text(encoding="utf-8")) | {"job": None}
(runs / "busy.json").write_text(json.dumps(lost), encoding="utf-8")
found = submit_cloud_job(rows, runs / "busy.json", "openai", CloudOrder(name, 3), **there)
print("jobs before and after:", before, len(server.jobs), "taken up again:", found.job)

# %% [markdown] lang="ja"
# ## 3社とも、同じ4行で
#
# GoogleとTogetherも同じ関数で動きます。Googleは `google-genai` の本物のクライアントで、行は自分のバケットに置きます。Togetherは、専用のパッケージを入れずに `openai` のクライアントから、公開されている道順（`/fine-tunes`）を呼びます。要求が6種類だけなので、これで足ります。

# %% [markdown] lang="en"
# ## All three with the same four lines
#
# Google and Together go through the same functions. For Google it is the real client of `google-genai`, and the rows go into a bucket of your own. For Together no package of its own is needed: the client of `openai` calls the documented paths (`/fine-tunes`), of which there are only six.

# %%
ended = {}
for provider, more in {"google": {"project": "p", "bucket": "gs://b/rows"}, "together": {}}.items():
    path = runs / f"{provider}.json"
    path.unlink(missing_ok=True)
    with PracticeServer(provider, os.environ["PRACTICE_KEY"]) as other:
        how = {"server": other.address, "key_env": "PRACTICE_KEY", **more}
        submit_cloud_job(rows, path, provider, CloudOrder("a-model", epochs=3), **how)
        ended[provider] = wait_for_cloud_job(path, every=0.1)
        print(f"{provider:9} {ended[provider].status}: {ended[provider].tuned}")

# %% [markdown] lang="ja"
# 状態の呼び名は各社で違います（`succeeded`、`JOB_STATE_SUCCEEDED`、`completed`）。プログラムが知っているのは5つだけで、知らない名前は「まだ続いている」と見なして、そのまま表示します。新しい状態が増えても、待っている途中で落ちません。
#
# 本物の提供元には、`server` を外してつなぎます。お金がかかるので、この教材では**測定していません**。コマンドも同じで、`workshop cloud submit` は `--really` を付けるまで何も送りません。

# %% [markdown] lang="en"
# Each has its own word for a state (`succeeded`, `JOB_STATE_SUCCEEDED`, `completed`). The program knows just five, and takes a word that is new to it for "still at work", showing it as it is: a new state does not end a wait.
#
# Leave `server` out and you reach the real providers. That costs money and was **not measured here**. The command is the same: `workshop cloud submit` sends nothing without `--really`.

# %% [markdown] lang="ja"
# ## モデルカード：記録したことだけを書く
#
# ここからは手元のモデルです。学習し、事実の質問に答えさせ、忘れたものを調べます。どの数も、もう記録の中にあります。カードはそれを集めて、Hubが読む見出し（YAML）を付けるだけです。測らなかったものは「測定していません」と書かれます。

# %% [markdown] lang="en"
# ## A model card says what was recorded
#
# Back to a model of our own: train it, ask it for facts, see what it forgot. Each of these figures is recorded already. The card gathers them and puts the header on top that the Hub reads (YAML). What was not measured says "Not measured".

# %%
from workshop_helpers import compare, probe, train, write_model_card

tuned = train(MODEL, shop.train[:ROWS], runs / f"shop-{ROWS}")
models = {"base": MODEL, "tuned": tuned}
scores = compare(models, shop.questions[:30]).to_dict()
lost = probe(models, LANGUAGE, per_kind=10).to_dict()
measured_too = {"scores": scores, "forgetting": lost}
card = write_model_card(tuned.adapter, language=LANGUAGE, **measured_too)

# %% tags=["nbval-ignore-output", "timed"]
print(card.read_text(encoding="utf-8"))

# %% [markdown] lang="ja"
# ガイドのカードは、学習の数を手で渡す作りで、渡し忘れると `N/A` と書かれました。ベースのライセンスも手書きです。ここではどちらもモデルの横の `card.json` とカタログから来るので、書き間違えようがありません。
#
# ## Hubに送る、その一歩手前
#
# `push` は `huggingface_hub` で送ります。ただし `really=True` を渡すまでは、送るものを並べるだけです。何が行き、何が残り、何に気をつけるのか。

# %% [markdown] lang="en"
# The guide's card took the figures of the training by hand, and wrote `N/A` where one was forgotten. The base's licence was typed, too. Here both come from `card.json` beside the model and from the catalogue, and cannot be mistyped.
#
# ## One step before the Hub
#
# `push` sends with `huggingface_hub`, but until it is told `really=True` it only lists: what goes, what stays, what to think about.

# %%
from workshop_helpers import plan_push

plan = plan_push(tuned.adapter, "your-name/shop-adapter")
print("sent:", ", ".join(plan.files))
for line in plan.warnings:
    print("note:", line)
print("faults:", plan.faults)

# %% [markdown] lang="ja"
# `mame` はHubにないので、アダプターだけ送っても誰も使えません。教えてくれるのはそういうことです。学習の行や、pickleかもしれない `.bin` は、フォルダーに紛れていても送りません。新しい置き場は、`--public` を付けるまで自分だけに見えます。実際に送る動きは、手元のHubの代役を相手に、テストで確かめています。

# %% [markdown] lang="en"
# `mame` is not on the Hub, so nobody could use the adapter alone: that is the kind of thing it tells you. Training rows, or a `.bin` that may be a pickle, are not sent, even if they lie in the folder. A new repository is yours alone until you say `--public`. The sending itself is checked in the tests, against a stand-in for the Hub.

# %% [markdown] lang="ja"
# ## 経験則
#
# - **送る前に数える。** 日本語は1トークンを1.5文字で見積もり、エポック数を掛け、1割か2割の余裕を見ます。根拠は上の表で、語彙は `o200k_base`、行はこの教材の4つのファイルだけです。
# - **ジョブの名前は、始めた瞬間にファイルへ。** 始める前に、同じファイルのジョブがないか聞きます。上で、ジョブが増えないのを見ました。
# - **鍵は環境変数だけ。** コードに書いた鍵は、いつかノートブックの出力に出ます。
# - **提供元の終わりを調べてから始める。** 上の地図は2026年11月のものです。読んでいる日付で、もう一度確かめてください。重みを持ち帰れない学習は、サービスと一緒に消えます。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - **Count before you send.** Take 1.5 characters a token for Japanese, multiply by the epochs, and leave 10 to 20 percent of room. It rests on the table above: the vocabulary `o200k_base`, and no rows but the four files of this course.
# - **The job's name goes into a file the moment it starts**, and before that you ask whether the file has a job already. Above you saw that no second one was made.
# - **Keys in environment variables only.** A key in code will one day stand in a notebook's output.
# - **Look up the end of a service before you begin.** The map above is of November 2026; check it on the day you read this. A tuning whose weights you cannot take home goes down with its service.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを書いて実行し、その下のセルで確かめます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the one below.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("18", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. 5エポックなら？** 同じ行を同じモデルで5エポック学習すると、何ドルですか。`check_cloud_rows` に聞いても、`check` から計算してもかまいません。

# %% [markdown] lang="en" tags=["exercise"]
# **1. And for 5 epochs?** The same rows and the same model, but 5 epochs: how many dollars? Ask `check_cloud_rows`, or work it out from `check`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = check_cloud_rows(rows, "openai", model=name, epochs=5).dollars
answer

# %% tags=["check"]
five, one = check.dollars / 3 * 5, check.dollars / 3
exercises.check("epochs", answer, five, within=0.001, pitfalls={one: "epochs-one"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2. パッキングなしの請求** Togetherは、パッキングを切ると1行を最大長として課金します。`max_length=512` のとき、課金されるトークンは、パッキングありの何倍ですか。`check_cloud_rows` の `billed` を比べてください。

# %% [markdown] lang="en" tags=["exercise"]
# **2. A bill without packing.** With packing off, Together bills each row as long as the longest may be. At `max_length=512`, how many times as many tokens are billed as with packing? Compare `billed` of `check_cloud_rows`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
padded = check_cloud_rows(rows, "together", max_length=512)
answer = padded.billed / check_cloud_rows(rows, "together").billed
answer

# %% tags=["check"]
padded = check_cloud_rows(rows, "together", max_length=512).billed
times = padded / check.billed
exercises.check("packing", answer, times, within=0.01, pitfalls={1 / times: "packing-inverse"})

# %% [markdown] lang="ja" tags=["exercise"]
# **3. 二重払い** 上の `submit_cloud_job` が「同じファイルのジョブがもうないか」を聞かなかったら、あの瞬間のあと、サーバーのジョブはいくつになっていましたか。`before` を使ってください。

# %% [markdown] lang="en" tags=["exercise"]
# **3. Paying twice.** If `submit_cloud_job` had not asked for a job on the same file, how many jobs would the server have had after that moment? Use `before`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = before + 1
answer

# %% tags=["check"]
exercises.check("twice", answer, before + 1, pitfalls={before: "twice-same"})

# %% [markdown] lang="ja"
# ## まとめ
#
# - 3社のAPIは、送る、始める、待つ、使うの同じ4歩です。違うのは形式と呼び名です。
# - 費用は、送る前に、日本語に合った数え方で、エポック数を掛けて出します。
# - ジョブは、自分が落ちても続きます。名前をファイルに残せば、続きから待てます。
# - モデルカードは記録から作り、Hubには「本当に」と言うまで送りません。

# %% [markdown] lang="en"
# ## In short
#
# - The APIs take the same four steps: send, start, wait, use. Formats and words differ.
# - The cost is known before you send, if you count as the language wants it and multiply by the epochs.
# - A job goes on when you crash. With its name in a file you go on waiting, too.
# - A model card is made from records, and nothing goes to the Hub until you say "really".

# %% tags=["closing"]
assert not check.faults and check.billed == 3 * check.tokens
assert token not in str(check_cloud_rows(leak, "openai").faults)
assert done.returncode == 0 and read_cloud_job(file).status == "succeeded"
assert os.environ["PRACTICE_KEY"] not in file.read_text(encoding="utf-8")
assert read_cloud_job(runs / "fails.json").status == "failed"
assert len(server.jobs) == before and found.job == "ftjob-2"
assert {job.status for job in ended.values()} == {"succeeded"}
assert "card.json" in plan.files and "README.md" in plan.files and not plan.faults
server.close()
