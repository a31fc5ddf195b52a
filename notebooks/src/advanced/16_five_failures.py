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
# # 16 五つの失敗
#
# ファインチューニングは、たいてい静かに失敗します。エラーは出ず、損失はきれいに下がり、答えだけがおかしくなります。この章では、よくある五つの失敗をわざと起こし、どの数字を見れば気づけるかを確かめ、直します。
#
# | | |
# | --- | --- |
# | 目標 | 忘却、モード崩壊、リーク、過学習、メモリ不足を、それぞれ測れる兆候で見分けて、手当てする |
# | 時間 | ひとりで30分 |
# | 使うもの | お店のデータと `mame` |
# | できるもの | 失敗したアダプターと直したアダプター、検証損失の曲線、早期終了の記録 |

# %% [markdown] lang="en"
# # 16 Five failures
#
# Fine-tuning tends to fail quietly. There is no error, the loss falls nicely, and only the answers are off. In this chapter we provoke the five usual failures on purpose, look for the figure that gives each of them away, and mend it.
#
# | | |
# | --- | --- |
# | Goal | Tell forgetting, mode collapse, leakage, overfitting and a full memory by a sign you can measure, and treat each |
# | Minutes | 30 on your own |
# | Comes in | The shop's data and `mame` |
# | Goes out | Adapters that failed and adapters that were mended, a curve of validation loss, a training that ended early |

# %% [markdown] lang="ja"
# モデル、行数、言語は次のセルで選びます。ほかに書き換えるところはありません。

# %% [markdown] lang="en"
# Model, rows and language are chosen in the next cell, and nothing else needs editing.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 40
LANGUAGE = "ja"

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE) / "failures"
recipe = LoraRecipe.for_model(MODEL)
rows, held_out, questions = shop.train[:ROWS], shop.train[-20:], shop.questions[:24]


def learn(name, data, recipe=recipe, **how):
    return train(MODEL, data, runs / name, recipe, progress=False, **how)


# %% [markdown] lang="ja"
# ## 失敗1：忘却
#
# **起こす**：アダプターをすべての層に付けて、お店の行だけを高い学習率で何度も読ませます。**兆候**：お店と関係のない質問（プローブ）を学習の前と後に聞き、正解の割合を比べます。学習損失にはまったく現れません。**手当て**：MLPだけにアダプターを付け、一般の行を混ぜます。

# %% [markdown] lang="en"
# ## Failure 1: forgetting
#
# **Provoke**: an adapter on every layer, the shop's rows and nothing else, a high rate, many passes. **The sign**: ask questions that have nothing to do with the shop (the probe) before and after, and compare the shares of right answers. The training loss shows nothing of it. **Mend**: adapt the MLP alone and mix in general rows.

# %%
from workshop_helpers import compare, probe

forgetful = learn("forgetful", rows, recipe.replace(target_modules=None))
mended = learn("mended", rows, recipe.replace(general_rows=0.5), general=shop.general)
models = {"base": MODEL, "forgetful": forgetful, "mended": mended}
kept = probe(models, LANGUAGE, per_kind=12).shares
stated = compare(models, questions, progress=False)

# %% tags=["nbval-ignore-output"]
from workshop_helpers import figures_table

table = [
    {"setting": name, "recall_share": stated.row(name).summary.recall}
    | {f"{kind}_share": share for kind, share in kept[name].items()}
    for name in models
]
figures_table("16", table, LANGUAGE)

# %% [markdown] lang="ja"
# 右の三列がプローブです。一般の知識、プロンプトに書かれた事実の読み取り、そして「書かれていません」と言えるか。お店の行はどれも答えを言い切るので、「分からない」と言う習慣まで消えていきます。
#
# 元になった長いガイドは、手当てとして学習率を2e-4から1e-5へ下げること、1エポックにすること、weight decay、LoRAを挙げています（引用）。本当に効くのかを、設定を一つずつ変えて測りました。

# %% [markdown] lang="en"
# The three columns on the right are the probe: general knowledge, reading facts out of a prompt, and being able to say "that is not stated here". Every row of the shop commits itself to an answer, and so even the habit of saying "I do not know" wears off.
#
# As a treatment, the long guide that this course grew from (quoted) names a rate of 1e-5 in place of 2e-4, a single epoch, weight decay, and LoRA. Do they help? One setting was changed at a time, and measured.

# %%
from workshop_helpers import measured

measured("16_five_failures", "forgetting", LANGUAGE)

# %% [markdown] lang="ja"
# ガイドの学習率では、何も忘れません。何も覚えないからです（事実は0 %）。1エポックだけでも事情はほぼ同じです。weight decayは、ここでは偶然を超える差になりませんでした。学習率を3分の1にすると忘却は減りますが、覚える事実も37 %に減ります。
#
# 覚える量を減らさずに効いたのは二つです。MLPだけに付けると、プロンプトの読み取りが40 %から60 %に戻りました。一般の行を混ぜると、「書かれていない」と言える割合が35 %から90 %、つまり学習前の水準に戻りました。どれも1回ずつの学習で、プローブは種類ごとに20問なので、1問の違いが5ポイントになります。「LoRAなら忘れにくい」だけでは足りません。この表はすべてLoRAです。

# %% [markdown] lang="en"
# With the guide's rate nothing is forgotten, because nothing is learned (0 % of the facts). A single epoch is hardly different. Weight decay made no difference here beyond chance. A third of the rate forgets less, and learns less too: 37 % of the facts.
#
# Two things helped without learning less. With the MLP alone, reading from the prompt came back from 40 % to 60 %. With general rows, "says what is not stated" came back from 35 % to 90 %, which is where it was before training. All are single trainings, and the probe has 20 questions of a kind: one question is 5 points. "LoRA does not forget" is not enough of a treatment: everything in this table is LoRA.

# %% [markdown] lang="ja"
# ## 失敗2：モード崩壊
#
# **起こす**：どの質問にも同じ文で答えるデータで学習します。**兆候**：違う質問への答えのうち、何種類が違うか。そして、書き出しが何種類あるか。

# %% [markdown] lang="en"
# ## Failure 2: mode collapse
#
# **Provoke**: train on rows that answer every question with the same sentence. **The sign**: ask different questions; how many of the answers differ, and how many openings are there?

# %%
import json

replies = {
    "ja": "ありがとうございます。担当者が確認します。",
    "en": "Thank you. Our staff will check.",
}
file = runs / "same-answer.jsonl"
file.parent.mkdir(parents=True, exist_ok=True)
pairs = [{"instruction": row.question, "output": replies[LANGUAGE]} for row in rows[:24]]
lines = [json.dumps(pair, ensure_ascii=False) for pair in pairs]
file.write_text("\n".join(lines), encoding="utf-8")
collapsed = learn("collapsed", file, recipe.replace(epochs=4))
stated |= compare({"collapsed": collapsed}, questions, progress=False)

# %% tags=["nbval-ignore-output"]
from workshop_helpers import variety

answers = {row.label: [answer.text for answer in row.answers] for row in stated.rows}
spread = {name: variety(answers[name]) for name in ("base", "collapsed", "mended")}
table = [
    {"setting": name, "distinct_share": one.distinct, "openings_share": one.openings}
    | {"commonest": one.commonest}
    for name, one in spread.items()
]
figures_table("16", table, LANGUAGE)

# %% [markdown] lang="ja"
# 崩壊したモデルは、何を聞かれても一つの文しか言いません。学習損失は見事に下がっているので、そこを見ていても気づけません。直した行（`mended`）では、答えが質問ごとに変わります。
#
# 同じ検査は、学習の前に**データ**に対してもできます。ガイドの検査は、答えを空白で区切った最初の5語を数えます（引用）。日本語には空白がないので、この方法では答え全体が1語になり、同じ挨拶で始まるデータでも「全部違う」と判定されます。文字で数えれば見つかります。

# %% [markdown] lang="en"
# The collapsed model knows a single sentence, whatever it is asked. Its training loss fell beautifully, so that is not the place to look. With the rows of `mended`, each question gets an answer of its own.
#
# The same check can be made on the **data**, before any training. The guide's check (quoted) counts the first 5 words of each answer, split at blanks. Japanese has no blanks: there the whole answer is one word, and rows that all begin with the same greeting are judged to be all different. Counting characters finds them.

# %%
greetings = {"ja": "お問い合わせありがとうございます。", "en": "Thank you for your message. "}
for language, greeting in greetings.items():
    texts = [greeting + row.answer for row in Shop(language).train[:40]]
    by_words = len({tuple(text.split()[:5]) for text in texts}) / len(texts)
    print(f"{language}: split {by_words:.2f}, characters {variety(texts).openings:.2f}")

# %% [markdown] lang="ja"
# ## 失敗3：リーク
#
# **起こす**：評価に使う質問を、少し言い換えて学習データに入れます。**兆候**：リークした質問の点数だけが、ほかの質問より飛び抜けて高くなります。

# %% [markdown] lang="en"
# ## Failure 3: leakage
#
# **Provoke**: slip questions of the evaluation, slightly reworded, into the training data. **The sign**: the score on the leaked questions stands far above the score on the others.

# %%
before = {"ja": "すみません、", "en": "Hello, "}[LANGUAGE]
after = {"ja": "{}です。", "en": "It is {}."}[LANGUAGE]
leaks = [
    {"instruction": before + q.question, "output": after.format(q.facts[0])} for q in questions[:12]
]
honest = [{"instruction": row.question, "output": row.answer} for row in rows[:12]]
lines = [json.dumps(pair, ensure_ascii=False) for pair in honest + leaks]
leaky_file = runs / "leaky.jsonl"
leaky_file.write_text("\n".join(lines), encoding="utf-8")
leaky = learn("leaky", leaky_file)
scores = compare({"leaky": leaky}, questions, progress=False).rows[0].scores

# %% tags=["nbval-ignore-output"]
groups = {"leaked": scores[:12], "unseen": scores[12:]}
recalls = {name: sum(s.recall for s in of) / len(of) for name, of in groups.items()}
figures_table("16", [{"questions": n, "recall_share": r} for n, r in recalls.items()], LANGUAGE)

# %% [markdown] lang="ja"
# ガイドの検査は、行どうしの完全一致を探します（引用）。挨拶を一つ付けただけで、何も見つからなくなります。コースの検査は、ほぼ同じ質問と言い換えも探します。

# %% [markdown] lang="en"
# The guide's check (quoted) looks for rows that are exactly equal. One word of greeting in front, and it finds nothing. The course's check also looks for questions that are nearly equal, and for rewordings.

# %% tags=["needed"]
from workshop_helpers import check_rows, leave_out

# %%
exact = {pair["instruction"] for pair in honest + leaks} & {q.question for q in questions}
checked = check_rows(leaky_file, against=shop.file("questions"), progress=False)
caught = {found.line for found in checked.findings if found.rule == "leakage"}
clean = leave_out(leaky_file, checked, runs / "clean.jsonl", overwrite=True)
print(f"exact: {len(exact)}, check_rows: {len(caught)} of {len(leaks)} leaks; left: {clean.rows}")

# %% [markdown] lang="ja"
# 手当ては、見つかった行を学習データから外し、点数は学習に使っていない質問だけで出すことです。上の表でいえば、信じてよいのは「未見」の行だけです。
#
# ## 失敗4：過学習
#
# **起こす**：少ない行を何度も読ませます。**兆候**：学習に使わない行の損失（検証損失）が、学習損失は下がり続けているのに上がり始めます。**手当て**：`validation` に行を渡し、`early_stopping` にエポック数を渡します。検証損失がその回数だけ続けて下がらなければ終わり、残るのは最小だったエポックのアダプターです。コマンドなら `workshop train … --validation FILE --early-stopping 3` です。

# %% [markdown] lang="en"
# The treatment: take the rows that were found out of the training data, and report the score of questions that were not trained on. In the table above, only the row "unseen" can be believed.
#
# ## Failure 4: overfitting
#
# **Provoke**: let it read few rows many times. **The sign**: the loss of rows that are not trained on (validation loss) begins to rise while the training loss goes on falling. **Mend**: give rows as `validation` and a number of epochs as `early_stopping`. After so many epochs in a row without a lower validation loss the training ends, and what is kept is the adapter of the lowest. As a command: `workshop train … --validation FILE --early-stopping 3`.

# %%
long = recipe.replace(epochs=20)
stopping = learn("stopping", rows, long, validation=held_out, early_stopping=3)
validated = stopping.validation

# %% tags=["nbval-ignore-output"]
from workshop_helpers import validation_curve

step, epoch, loss = validated.best
print(
    f"{validated.ended}: epoch {validated.losses[-1][1]:g} of {long.epochs}; kept: epoch {epoch:g}"
)
validation_curve(stopping)

# %% [markdown] lang="ja"
# 教科書どおりです。早期終了は、検証損失が最小のアダプターを残しました。では、そのアダプターはお店の事実を言えるでしょうか。

# %% [markdown] lang="en"
# By the book: early stopping kept the adapter with the lowest validation loss. But does that adapter state the shop's facts?

# %% tags=["nbval-ignore-output"]
stated |= compare({"stopping": stopping}, questions, progress=False)
names = ("stopping", "forgetful", "mended")
table = [{"setting": n, "recall_share": stated.row(n).summary.recall} for n in names]
figures_table("16", table, LANGUAGE)

# %% [markdown] lang="ja"
# 答えは言語で分かれます。英語では、残ったアダプターが事実をほとんど言えます。早期終了は、よい仕事をしました。日本語では、ほとんど言えません。同じ行を何エポックも余計に読んだモデルのほうが、ずっと多くの事実を言えます。どちらも1回ずつの学習ですが、**検証損失だけを見ていては、二つの場合を見分けられない**ことは確かです。
#
# 下の図は、日本語の同じ学習をもっと先まで続けた記録です。上が損失、下が事実の再現率です。

# %% [markdown] lang="en"
# That depends on the language. In English the adapter that was kept states nearly all of them: early stopping did a good job. In Japanese it states hardly any, and models that read the same rows for many more epochs state far more. Each is a single training, but so much is certain: **the validation loss alone does not tell the two cases apart**.
#
# The figure below is a record of the Japanese training, carried much further: losses above, recall of facts below.

# %%
from workshop_helpers import recorded_rows

_, recorded = recorded_rows("16_five_failures", "epochs")
curve = [row for row in recorded if row["rows"] == 40 and row["language"] == "ja"]
validation_curve(curve, LANGUAGE)

# %% [markdown] lang="ja"
# 検証損失は2エポックで最小になりますが、そのとき言える事実は11 %です。10エポックでは検証損失が2.81まで上がっているのに、96 %を言えます。矛盾ではありません。検証用の行は同じ事実を**別の言い回し**で答えていて、損失は言い回しのトークンも数字のトークンも同じ重さで数えます。モデルが自分の言い回しに自信を持つほど、ほかの言い回しは「意外」になり、検証損失が上がります。答えの数字は、その間も正しくなり続けています。
#
# ガイドは、最後の検証損失が最後の学習損失の1.5倍を超えたら過学習の疑い、としています（引用）。この学習は3エポックですでに超えます。そのあとが、事実をいちばん覚える時間です。学習損失は0に近づくので、比はいくらでも大きくなります。比ではなく、検証損失そのものが下がっているかを見るほうが確かで、それでも上のとおりです。

# %% [markdown] lang="en"
# Validation loss is lowest after 2 epochs, and 11 % of the facts are stated then. After 10 epochs it has risen to 2.81, and 96 % are stated. That is no contradiction. The validation rows state the same facts in **other wordings**, and a loss counts a token of wording as much as a token of a figure. The surer a model is of its own wording, the more others surprise it, and the loss rises. Meanwhile the figures in its answers go on getting better.
#
# The guide suspects overfitting where the last validation loss is more than 1.5 times the last training loss (quoted). This training is past that after 3 epochs, and it learns most of its facts afterwards. A training loss goes towards 0, so the ratio grows without bound. Better to ask whether the validation loss itself still falls; and even that, as above.

# %%
measured("16_five_failures", "epochs", LANGUAGE)

# %% [markdown] lang="ja"
# 表の上のほうは日本語です。100行にすると、最小の検証損失が2.37から1.61に下がり、そのとき言える事実も71 %に増えます。データが増えるほど、二つのものさしは近づきます。それでも、いちばん多くの事実を言えるのは、検証損失が最小のエポックより後です。
#
# 英語の40行では、検証損失が3エポックから10エポックまでほとんど動きません（2.72、2.71、2.77）。その間に、言える事実は31 %から100 %へ増えます。平らな底のどこが最小になるかは偶然に近く、英語の早期終了は、たまたま良い場所に当たったのです。
#
# 一方で、右の列も見てください。「書かれていない」と言える割合は、学習の前より下がったままです。「長いほど良い」わけでもありません。ガイドの目安は、100〜500行なら5エポックです（引用）。100行の5エポックは確かに良い選択ですが、40行では10エポックまで伸びました。決め手は損失ではなく、**答えさせて採点すること**です。お店には、そのための質問（`shop.validation`）があります。

# %% [markdown] lang="en"
# The upper part of the table is Japanese. With 100 rows the lowest validation loss falls from 2.37 to 1.61, and 71 % of the facts are stated there. The more data, the closer the two measures come. Still, most facts are stated after the epoch with the lowest validation loss.
#
# For the 40 English rows the validation loss hardly moves from epoch 3 to epoch 10 (2.72, 2.71, 2.77), while the facts stated go from 31 % to 100 %. Where on a flat bottom the lowest point lies is close to chance: in English early stopping happened to hit a good place.
#
# Now look at the columns on the right. The share of "says what is not stated" stays below what it was before, so "the longer, the better" is no answer either. The guide's rule (quoted) is 5 epochs for 100 to 500 rows. For 100 rows that is indeed a good choice; 40 rows went on gaining up to 10 epochs. What decides is not a loss but **answers that are scored**. The shop has questions for that purpose (`shop.validation`).

# %% [markdown] lang="ja"
# ## 失敗5：メモリ不足
#
# **起こす**：1ステップに多くの行を読ませます。カーネルを落とさないように、メモリの上限を付けた別のプロセスで試します（上限はLinuxだけで効きます）。**兆候**：これだけは、エラーが出ます。**手当て**：1ステップの行数を保ったまま、少しずつ読んで勾配をためる（`gradient_accumulation`）か、活性値を保存せずに計算し直す（gradient checkpointing）か。

# %% [markdown] lang="en"
# ## Failure 5: out of memory
#
# **Provoke**: many rows in one step. So that no kernel dies, it is tried in a process of its own with a limit on its memory (which Linux alone enforces). **The sign**: this failure is the one that does raise an error. **Mend**: keep the rows of a step but read them in small portions and add up the gradients (`gradient_accumulation`), or keep no activations and compute them again (gradient checkpointing).

# %%
from workshop_helpers import try_training

whole = recipe.replace(epochs=1, batch_size=32)
ways = {
    "whole": whole,
    "accumulated": whole.replace(batch_size=4, gradient_accumulation=8),
    "recomputed": whole,
}
tried = try_training(MODEL, shop.train[:32], ways, room_bytes=235 * 10**6, recompute=["recomputed"])
print(tried["whole"].error)

# %% tags=["nbval-ignore-output"]
table = [
    {"setting": n, "fits": "yes" if t.fits else "no", "peak_bytes": t.bytes if t.fits else None}
    for n, t in tried.items()
]
figures_table("16", table, LANGUAGE)

# %% [markdown] lang="ja"
# 上限を外して測ると、三つの方法はこれだけのメモリを使います（ライブラリの分は除いてあります）。

# %% [markdown] lang="en"
# Without the limit, this is what the three ways take (not counting the libraries).

# %%
measured("16_five_failures", "memory", LANGUAGE)

# %% [markdown] lang="ja"
# どの方法でも、1ステップで学ぶ行は同じ32行です。勾配をためる方法がいちばん少なく済み、計算し直す方法は、活性値が大きいモデルほど効きます。上限が分かっていれば、コースの学習は計算し直すかどうかを自分で決めます（`report.checkpointing` に理由が残ります）。ガイドは、そのほかに `paged_adamw_8bit` を挙げています（引用）。オプティマイザの状態をCPUへ逃がす方法ですが、LoRAではその状態がもともと小さく、CUDAのGPUが要るので、ここでは測定していません。どの項がいくら使うかは、17章で式にします。

# %% [markdown] lang="en"
# In all three ways a step learns from the same 32 rows. Adding up gradients takes least; recomputing pays more the more activations a model has. Where the course's trainer knows how much memory there is, it decides about recomputing by itself (`report.checkpointing` says why). The guide also names `paged_adamw_8bit` (quoted), which moves the optimizer's state to the CPU. For LoRA that state is small anyhow, and it takes a CUDA GPU: not measured here. Chapter 17 turns the terms into formulas.

# %% [markdown] lang="ja"
# ## 経験則
#
# - **忘却**：一般の行を訓練の半分ほど混ぜ、アダプターはMLPだけに付けます。根拠は上の表の35 %→90 %と40 %→60 %。学習率を下げるのは、覚える量も減るので最後の手段です。
# - **モード崩壊**：学習の前に、答えの書き出しを文字で数えます。学習の後は、違う質問への違う答えの割合を見ます。
# - **リーク**：完全一致では足りません。似た質問まで検査し、点数は未見の質問だけで出します。
# - **過学習**：検証損失は「どこから言い回しを丸暗記し始めたか」を示します。どこで止めるかは、検証用の質問とプローブで決めます。
# - **メモリ不足**：1ステップの行数はそのままに、`batch_size` を小さく、`gradient_accumulation` を大きくします。
#
# 限界も書いておきます。小さなモデル1つ、お店1軒、忘却の表は日本語だけ、どれも1回ずつの学習です。大きなモデルでは学習率もエポック数も違います。検証損失と事実の食い違いも、長い文章を書かせる課題では小さくなるでしょう。自分のデータで同じ表を作ってください。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - **Forgetting**: mix in general rows, about half as many as training rows, and adapt the MLP alone. It rests on the 35 % → 90 % and 40 % → 60 % above. A lower rate comes last, since it learns less, too.
# - **Mode collapse**: count the openings of the answers, by characters, before training; afterwards, the share of different answers to different questions.
# - **Leakage**: exact matching is not enough. Check for similar questions, and report the score of unseen ones only.
# - **Overfitting**: validation loss shows where learning wordings by heart begins. Where to stop is decided by validation questions and by the probe.
# - **Out of memory**: leave the rows of a step as they are; make `batch_size` smaller and `gradient_accumulation` larger.
#
# The limits: one small model, one shop, the table on forgetting in Japanese alone, all of them single trainings. Large models want other rates and other numbers of epochs. Where long texts are to be written, validation loss and usefulness will lie closer together than here. Make the same table from your own data.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを書いて実行し、その下のセルで確かめます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the one below.

# %% tags=["needed"]
from workshop_helpers import Exercises, variety

exercises = Exercises("16", LANGUAGE)
curve_of_losses = [2.0, 1.5, 1.6, 1.4, 1.45, 1.5, 1.3, 1.35]

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：いつ終わるか** `curve_of_losses` は、エポック1から順に測った検証損失です。`early_stopping=2` なら、どのエポックのアダプターが残り、どのエポックの後で終わりますか。残るエポックと終わるエポックを、この順に `(a, b)` の形で答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: when does it end?** `curve_of_losses` holds the validation losses from epoch 1 on. With `early_stopping=2`, the adapter of which epoch is kept, and after which epoch does training end? Answer as `(a, b)`: first the epoch kept, then the one after which it ended.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
best = 0
for ended in range(len(curve_of_losses)):
    if curve_of_losses[ended] < curve_of_losses[best]:
        best = ended
    if ended - best >= 2:
        break
answer = (best + 1, ended + 1)
answer

# %% tags=["check"]
pitfalls = {(7, 8): "early-lowest", (2, 3): "early-first", (4, 5): "early-one"}
exercises.check("early", answer, (4, 6), pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：書き出しの種類** お店の学習データの最初の100行で、答えの書き出しは何種類ありますか。種類の数を `variety` から求めてください（割合ではなく、個数です）。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: how many openings?** How many different openings do the answers of the shop's first 100 training rows have? Get it from `variety`, as a number of openings, not as a share.

# %% tags=["exercise"]
texts = [row.answer for row in shop.train[:100]]
answer = ...

# %% tags=["solution"]
texts = [row.answer for row in shop.train[:100]]
answer = round(variety(texts).openings * len(texts))
answer

# %% tags=["check"]
texts = [row.answer for row in shop.train[:100]]
found = variety(texts)
pitfalls = {found.openings: "openings-share", round(found.distinct * 100): "openings-distinct"}
exercises.check("openings", answer, round(found.openings * 100), pitfalls=pitfalls)

# %% [markdown] lang="ja"
# ## まとめ
#
# - 五つの失敗のうち四つは、学習損失には現れません。失敗ごとに、見るべき数字が違います。
# - 忘却はプローブで、モード崩壊は答えと書き出しの種類で、リークは検査と「未見」の点数で見つけます。
# - 検証損失は言い回しへの過学習を見つけます。事実を覚えたかどうかまで教えてくれるとは限りません。
# - メモリ不足は、1ステップの行数を変えずに直せます。

# %% [markdown] lang="en"
# ## In short
#
# - Four of the five failures never show in the training loss. Each has a figure of its own to look at.
# - The probe finds forgetting, the number of different answers and openings finds mode collapse, a check and the score on unseen questions find leakage.
# - Validation loss finds overfitting to wordings. It need not tell whether facts were learned.
# - A full memory can be mended without changing how many rows a step learns from.

# %% tags=["closing"]
assert validated.ended == "early" and epoch < validated.losses[-1][1] < long.epochs
assert validated.losses[-1][2] > loss, "the validation loss has risen again"
assert not exact and caught >= set(range(13, 25)), "the check finds what exact matching misses"
best = min(curve, key=lambda row: row["validation_loss"])
most = max(curve, key=lambda row: row["recall_share"])
assert best["epochs"] < most["epochs"] and best["recall_share"] < most["recall_share"]
if MODEL == "mame":
    assert tried["accumulated"].fits and tried["recomputed"].fits
    assert spread["collapsed"].distinct < 0.2 < spread["mended"].distinct
    assert recalls["leaked"] > recalls["unseen"]
    assert kept["forgetful"]["not_in_information"] < kept["base"]["not_in_information"]

# %% [markdown] lang="ja"
# 次の `17_cost_and_memory` では、学習を始める前に、メモリと時間と費用を見積もります。

# %% [markdown] lang="en"
# In `17_cost_and_memory`, next, memory, time and money are estimated before anything is trained.
