#!/bin/bash
# Two nodes with 4 GPUs each under SLURM; torchrun starts the processes of each node. Not measured.
#SBATCH --job-name=workshop
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=02:00:00
#SBATCH --requeue
set -euo pipefail

# The first node is where the others meet.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# One torchrun a node. A worker that dies is started again up to 3 times, and the training goes on
# from its last checkpoint, which therefore lies on a disk that both nodes see.
srun torchrun --nnodes="$SLURM_NNODES" --nproc-per-node=4 --max-restarts=3 \
  --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$head:29500" \
  -m workshop_helpers.training.launch \
  --model qwen2.5-3b --data rows.jsonl --out /shared/run --batch-size 32 --save-every 50
