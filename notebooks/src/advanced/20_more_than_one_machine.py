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
# # 20 2台目からの学習
#
# モデルが大きくなると、GPU1枚では時間もメモリも足りなくなります。そこで仕事を何枚か、何台かに分けます。分けると速くなる、とよく言われますが、その前に確かめることがあります。**分けても同じ学習になっているか**、そして**途中で1つ落ちたらどうなるか**です。どちらも、GPUのないこのマシンの2つのプロセスで確かめられます。
#
# | | |
# | --- | --- |
# | 目標 | 2プロセスの損失が1プロセスと同じになることを見て、落ちた学習を別のプロセス数で再開し、複数GPU・複数台の設定ファイルを読む |
# | 時間 | 20分 |
# | 使うもの | お店の行、`accelerate launch` |
# | できるもの | 1プロセスと2プロセスの損失の表、途中から再開したアダプター |

# %% [markdown] lang="en"
# # 20 More than one machine
#
# As models grow, one GPU has neither the time nor the memory. So the work is shared among several, or among several machines. That this is faster is what everybody says. Two things come first: **is it still the same training**, and **what happens when one of them dies?** Both can be seen with two processes on this machine, without any GPU.
#
# | | |
# | --- | --- |
# | Goal | See two processes give the losses of one, take a killed training up with another number of them, read the files for several GPUs and machines |
# | Minutes | 20 |
# | Comes in | The shop's rows and `accelerate launch` |
# | Goes out | A table of losses with one and with two processes, an adapter that was taken up half-way |

# %% [markdown] lang="ja"
# 選ぶのはここだけです。行は少なめにしてあります。

# %% [markdown] lang="en"
# All there is to choose. The rows are few on purpose.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 24
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## まず、1つのプロセスで
#
# 1ステップに8行、これを2エポック。ここでは `train` ではなく `train_shared` を使います。中身は同じトレーナーですが、仲間がいるかどうかを環境変数（`WORLD_SIZE` と `RANK`）から知り、自分の分け前だけを計算します。今は仲間がいないので、全部自分でやります。

# %% [markdown] lang="en"
# ## One process first
#
# A step takes 8 rows, and there are 2 epochs. Instead of `train` it is `train_shared` here: the same trainer, only that it learns from environment variables (`WORLD_SIZE` and `RANK`) whether it has company, and computes its own share. It has none now, so it does everything.

# %% tags=["needed"]
import shutil

from workshop_helpers import LoraRecipe, data_path, runs_folder, train_shared

runs = runs_folder(MODEL, LANGUAGE) / "shared"
shutil.rmtree(runs, ignore_errors=True)
data = data_path("shop", f"train.{LANGUAGE}.jsonl")
recipe = LoraRecipe.for_model(MODEL).replace(epochs=2, batch_size=8)
one = train_shared(MODEL, data, runs / "one", recipe, rows=ROWS)
print(one.processes, "process,", len(one.losses), "steps")

# %% [markdown] lang="ja"
# ## 2つのプロセスで
#
# `launch` が次のコマンドを起動します。どちらのプロセスも同じモデルを持ち、1ステップに4行ずつ計算して、勾配を足し合わせます（DDP）。GPUがないので、やり取りはglooという仕組みです。
#
# ```sh
# accelerate launch --multi_gpu --num_processes 2 -m workshop_helpers.training.launch --model mame --data rows.jsonl --out runs/two --batch-size 8
# ```

# %% [markdown] lang="en"
# ## Two processes
#
# `launch` starts the command below. Both processes hold the same model, compute 4 rows of a step each and add their gradients up (DDP). Without a GPU they talk by what is called gloo.
#
# ```sh
# accelerate launch --multi_gpu --num_processes 2 -m workshop_helpers.training.launch --model mame --data rows.jsonl --out runs/two --batch-size 8
# ```

# %%
from workshop_helpers import figures_table, launch

size = {"rows": ROWS, "epochs": 2, "batch_size": 8}
two = launch(2, MODEL, data, runs / "two", **size)
print(two.processes, "processes,", len(two.losses), "steps")

# %% tags=["nbval-ignore-output"]
pairs = zip(one.losses, two.losses, strict=True)
lines = [{"step": n, "one": a, "two": b, "difference": abs(a - b)}
         for n, (a, b) in enumerate(pairs, start=1)]  # fmt: skip
figures_table("20", lines, LANGUAGE)

# %% [markdown] lang="ja"
# 損失は小数第3位まで、どのステップでも同じです。残るわずかな差は、足し算の順番が違うためです。**2つに分けても、同じ学習をしています。**
#
# `--multi_gpu` という名前に驚いたかもしれません。GPUがないなら `--cpu` と書きたくなりますが、`accelerate==1.15.0` では、`--cpu` を付けると `--num_processes 2` と頼んでも1つしか起動しません。エラーも出ません。ここで数えた記録です。

# %% [markdown] lang="en"
# The losses agree to three decimals at every step. What little remains comes from adding in another order. **Shared by two, it is the same training.**
#
# The name `--multi_gpu` may surprise you. Without a GPU one would write `--cpu`; but with `--cpu`, `accelerate==1.15.0` starts one process, even if `--num_processes 2` asks for two, and says nothing. Counted here:

# %%
from workshop_helpers import measured

measured("20_more_than_one_machine", "asked_for_two", LANGUAGE)

# %% [markdown] lang="ja"
# 2つ起動しただけでは、まだ一緒に学習するとはかぎりません。`--multi_gpu` で起動した2つのプロセスは、CPUを使うと誰かが言わないと、どちらも「自分ひとりだ」と思って別々に学習します。`train_shared` はそれを言っています。自分のスクリプトなら、環境変数 `ACCELERATE_USE_CPU` を `true` にします（[確かめるスクリプト](../../findings/accelerate-on-cpus-starts-one-or-strangers.sh)があります）。

# %% [markdown] lang="en"
# Two processes that were started do not yet train together. Unless somebody says that the CPU is meant, each of the two that `--multi_gpu` started takes itself for the only one, and they train apart. `train_shared` says so. For a script of your own, set the environment's `ACCELERATE_USE_CPU` to `true` ([a script shows it](../../../findings/accelerate-on-cpus-starts-one-or-strangers.sh)).

# %% [markdown] lang="ja"
# ## 同じにするために要ること
#
# 何もしなければ、同じにはなりません。気を付けることは3つあります。
#
# 1. **バッチは全体で数える。** プロセスを2倍にして1プロセスの行数をそのままにすると、1ステップの行が2倍になります。学習率を変えずに別の学習をしていることになります。
# 2. **行の順番を全体で決める。** 長さの近い行をまとめるサンプラーは、プロセスごとのバッチの大きさでまとめます。行数によっては、プロセスの数が変わると順番まで変わります。パッキング（行を詰めること）も、詰め方が変わるので、ここでは使いません。
# 3. **平均は全体のトークンで割る。** 答えの長さは行ごとに違います。各プロセスが自分のトークン数で割ってから平均すると、短い答えばかり引いたプロセスの声が大きくなりすぎます。
#
# 2と3を外すとどうなるか、測っておきました。

# %% [markdown] lang="en"
# ## What it takes to be the same
#
# Left alone, it is not the same. Three things need care.
#
# 1. **Count the batch as a whole.** Twice the processes with as many rows each means twice the rows in a step: another training, at an unchanged learning rate.
# 2. **One order of rows for all.** The sampler that puts rows of like length together groups by the batch of a process, so with more processes, and depending on the number of rows, even the order changes. Packing, which fills up lines with the next rows, would be packed otherwise, too, and is not used here.
# 3. **Divide by the tokens of all.** Answers differ in length. If each process divides by its own tokens before the mean is taken, one that drew short answers speaks too loudly.
#
# What happens without the second and the third was measured:

# %%
measured("20_more_than_one_machine", "traps", LANGUAGE)

# %% [markdown] lang="ja"
# 順番を外すと損失は最大で0.78、平均を外すと0.073ずれました。どちらも**エラーにはならず**、学習はふつうに進んでいるように見えます。だから、1プロセスと比べて見つけるしかありません。順番のほうは行数にもよります。まとまりの大きさは行数の4分の1をバッチの倍数に丸めたもので、80行では1プロセスと2プロセスで変わり、64行では変わりません。

# %% [markdown] lang="en"
# Another order moves the loss by up to 0.78, another mean by up to 0.073. Neither is **an error**: the training looks as it always does. Only the comparison with one process shows it. The order depends on the rows, too: a group is a quarter of them, rounded to whole batches, which for 80 rows differs between one process and two, and for 64 does not.

# %% [markdown] lang="ja"
# ## 1つが落ちる
#
# 長い学習では、どれかのマシンがいつか落ちます。試しに、途中で片方のプロセスを強制終了（SIGKILL）します。もう片方は相手を待てないので、一緒に終わります。これは正しい動きです。残るのはチェックポイントだけです。
#
# 次のセルは、2プロセスで始めて4ステップ目のチェックポイントができたところで片方を止め、続きを**1プロセスで**再開します。

# %% [markdown] lang="en"
# ## One of them dies
#
# In a long training some machine will. So kill one of the two processes half-way (SIGKILL). The other one cannot go on without it and ends, too, as it should. All that is left are the checkpoints.
#
# The next cell begins with two processes, kills one as soon as the checkpoint of step 3 is whole, and goes on **with one process**.

# %% tags=["needed"]
from workshop_helpers import launch

cut = {"rows": ROWS, "epochs": 2, "batch_size": 8, "save_every": 1}
killed = launch(2, MODEL, data, runs / "cut", **cut, kill_at=3)
print("adapter there after the kill:", (runs / "cut" / "adapter").exists())
rest = train_shared(MODEL, data, runs / "cut", recipe, rows=ROWS)
print("adapter there now:", (runs / "cut" / "adapter").exists())

# %% tags=["nbval-ignore-output"]
print("gone on from step", rest.first, "of", len(one.losses))
wanted = one.losses[rest.first - 1 :]
print("largest difference:", max(abs(a - b) for a, b in zip(rest.losses, wanted, strict=True)))

# %% [markdown] lang="ja"
# 続きの損失は、最初から1プロセスで通した学習と同じです。チェックポイントにあるのは「何ステップ目か」と重みとオプティマイザーの状態で、プロセスの数には縛られません（行の順番はこの教材のサンプラーがエポックから決め直します。`accelerate==1.15.0` は、エポックの途中から複数のプロセスで再開すると、サンプラーにエポックを伝えません）。ただし、1ステップの行数（全体のバッチ）を変えると、どの行まで見たかの計算が合わなくなります。再開するときは、**全体のバッチを同じに保ちます**。
#
# 逆向き（1プロセスで始めて2プロセスで再開）も、同じように測ってあります。

# %% [markdown] lang="en"
# From there on the losses are those of the training that one process did from beginning to end. A checkpoint holds the step, the weights and the state of the optimizer, and is bound to no number of processes. (The order of the rows is found again by this course's sampler from the epoch; `accelerate==1.15.0` tells the epoch to no sampler when several processes go on within one.) It is bound to the rows of a step: with another whole batch, the count of the rows that were seen is off. So **keep the whole batch** when you go on.
#
# The other way round, begun by one and taken up by two, was measured, too.

# %%
measured("20_more_than_one_machine", "resumed", LANGUAGE)

# %% [markdown] lang="ja"
# ## 速くなるのか
#
# 同じ仕事を1プロセスと2プロセスで交互に走らせた記録です。プロセスの起動は含みません。

# %% [markdown] lang="en"
# ## Is it faster?
#
# The same work by one and by two processes in turns, as recorded, without the start of the processes:

# %%
measured("20_more_than_one_machine", "seconds", LANGUAGE)

# %% [markdown] lang="ja"
# 中央値で10.9秒が6.5秒になりました。2コアのマシンで、どのプロセスもスレッドは1つなので、**2つ目のコアを使えた分**だけ速くなったことになります。1プロセスでもスレッドを2つにすれば、2つ目のコアは使えます（その比較はしていません）。ほかの仕事が動いているマシンで3回ずつ測ったため、最短と最長は大きく離れています。また、ここに入っていない起動の時間は、こんなに小さな学習ではステップの時間より長くかかります。**分ける価値があるのは、長い学習だけです。**

# %% [markdown] lang="en"
# The median fell from 10.9 to 6.5 seconds. The machine has two cores and each process one thread, so what was gained is **the use of the second core**. One process with two threads could use it as well (that was not compared). Other work ran beside the 3 runs of each, so the least and the most lie far apart. And the start of the processes, which is left out here, takes longer than the steps of so small a training. **Sharing pays for long trainings only.**

# %% [markdown] lang="ja"
# ## 複数のGPU、複数のマシン
#
# ここからは設定ファイルを読むだけで、**測定していません**。accelerateとtorchの資料をもとに書き、両者が読めることをテストで確かめてあります。学習のコマンドは上と同じで、変わるのは `--config_file` だけです。
#
# | 状況 | ファイル | しくみ |
# | --- | --- | --- |
# | 1台にGPUが4枚。モデルは1枚に載る | `one-node-ddp.yaml` | DDP。各GPUにモデル全体の写し |
# | 1台にGPUが4枚。モデルが1枚に載らない | `one-node-fsdp.yaml` | FSDP。重みと状態を分けて持つ |
# | 2台にGPUが4枚ずつ | `two-nodes-ddp.yaml` | DDP。2台目では `machine_rank` を1に |
# | SLURMの計算機 | `slurm-torchrun.sh` | ノードの数と場所はSLURMから、プロセスはtorchrunから |

# %% [markdown] lang="en"
# ## Several GPUs, several machines
#
# From here on there are files to read and **nothing was measured here**. They were written from the documentation of accelerate and torch, and a test has both read them. The training command is the one above; only `--config_file` changes.
#
# | situation | file | how |
# | --- | --- | --- |
# | one machine, 4 GPUs, the model fits on one | `one-node-ddp.yaml` | DDP: a copy of the model on each |
# | one machine, 4 GPUs, the model fits on none | `one-node-fsdp.yaml` | FSDP: weights and states shared out |
# | two machines with 4 GPUs each | `two-nodes-ddp.yaml` | DDP; `machine_rank` is 1 on the second |
# | a SLURM cluster | `slurm-torchrun.sh` | nodes and addresses from SLURM, processes from torchrun |

# %%
print(data_path("launch", "two-nodes-ddp.yaml").read_text(encoding="utf-8"))

# %%
print(data_path("launch", "slurm-torchrun.sh").read_text(encoding="utf-8"))

# %% [markdown] lang="ja"
# もとのガイドは、70B以上なら「QLoRA（複数GPU）」、A100が2枚で12〜24時間、とだけ書いています（引用です。測定していません）。どう分けるか、落ちたらどうするかは書かれていません。LoRAで学ぶ重みはわずかなので、まとめる勾配も小さく、DDPの通信は軽く済みます。モデルが1枚に載るうちはDDP、載らなくなったらFSDP、と考えます。
#
# ## 経験則
#
# - **同じ学習か、まず小さく確かめる。** 全体のバッチをそろえ、数ステップの損失を1プロセスと比べます。上では、どのステップでも0.001以内でした。根拠は `mame` とCPUの2プロセスだけです。GPUのbf16では、丸めの分だけ差が大きくなります。
# - **チェックポイントは、失ってもよい時間ごとに。** 全体のバッチを同じにすれば、プロセスの数は変えられます。
# - **速さは自分の台数で測る。** コアやGPUの数が足りなければ、分けても速くなりません。

# %% [markdown] lang="en"
# For 70B and more the guide that this course began with says "QLoRA (several GPUs)" and 12–24 hours on two A100s (quoted, not measured), and no word on how to share the work or what to do when a process dies. LoRA trains few weights, so there are few gradients to add up and DDP's traffic is light. Take DDP as long as the model fits on one GPU, and FSDP when it does not.
#
# ## Rule of thumb
#
# - **See on a small scale that it is the same training.** Keep the whole batch and compare some steps' losses with one process. Above they agreed to 0.001 at each step. That rests on `mame` and two processes on a CPU; with bf16 on GPUs rounding will make it more.
# - **A checkpoint for each span that you can afford to lose.** With the whole batch kept, the number of processes may change.
# - **Measure the speed on your own machines.** Where cores or GPUs are too few, sharing makes nothing faster.

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

exercises = Exercises("20", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. 分け前** `two-nodes-ddp.yaml` の2台（GPUは4枚ずつ）で、`--batch-size 32` とします。1つのプロセスは、1ステップに何行を計算しますか。

# %% [markdown] lang="en" tags=["exercise"]
# **1. A share.** On the two machines of `two-nodes-ddp.yaml` (4 GPUs each) with `--batch-size 32`: how many rows of a step does one process compute?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 32 // (2 * 4)
answer

# %% tags=["check"]
exercises.check("share", answer, 4, pitfalls={16: "share-machine", 32: "share-whole"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2. 止まるまでに見た行** 上で再開したとき、チェックポイントに残っていたのは `rest.first - 1` ステップです。それまでに学習した行は、のべ何行ですか。

# %% [markdown] lang="en" tags=["exercise"]
# **2. Seen before the kill.** When the run above was taken up again, `rest.first - 1` steps had been kept. How many rows, counted each time they were seen, had been trained on?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = (rest.first - 1) * 8
answer

# %% tags=["check"]
seen = (rest.first - 1) * recipe.batch_size
exercises.check("seen", answer, seen, pitfalls={2 * seen: "seen-twice"})

# %% [markdown] lang="ja"
# ## まとめ
#
# - 全体のバッチ、行の順番、平均の取り方をそろえれば、2プロセスは1プロセスと同じ損失になります。
# - 1つが落ちれば全部が止まります。残ったチェックポイントから、別の数のプロセスで続けられます。
# - 何枚でも何台でも、変わるのは設定ファイルだけです。

# %% [markdown] lang="en"
# ## In short
#
# - With one whole batch, one order and one mean, two processes give the losses of one.
# - When one dies all stop. From the checkpoint another number of processes goes on.
# - For more GPUs or machines only the configuration file changes.

# %% tags=["closing"]
assert (one.processes, two.processes, rest.processes) == (1, 2, 1)
assert len(one.losses) == len(two.losses)
assert max(line["difference"] for line in lines) < 0.001
assert killed.killed is not None and rest.first > 3
assert max(abs(a - b) for a, b in zip(rest.losses, wanted, strict=True)) < 0.001
assert one.losses[-1] < one.losses[0]
