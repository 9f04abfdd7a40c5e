"""One or several processes training one model: what they exchange. Started by torchrun or `accelerate launch`."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed
from accelerate import PartialState
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the run; a run without a launcher has one."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> "Processes":
        """Meet the others, if a launcher started any; each gets its own GPU where there are some."""
        state = PartialState(cpu=not torch.cuda.is_available())  # without a GPU they talk over gloo
        return cls(state.process_index, state.num_processes, state.device)

    @property
    def main(self) -> bool:
        """Whether this one evaluates, saves and speaks."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of every process, (world x batch, ...), in the order of ranks; gradients reach the own rows.

        Each process computes the same whole loss from them, and the sum of the gradients over all processes is
        the gradient of one process with the whole batch.
        """
        if self.world == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.world)]
        torch.distributed.all_gather(parts, rows.detach().contiguous())
        parts[self.rank] = rows
        return torch.cat(parts)

    def sum(self, value: Tensor) -> Tensor:
        """A number added up over all processes, without gradient."""
        total = value.detach().clone()
        if self.world > 1:
            torch.distributed.all_reduce(total)
        return total

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return flag if self.world == 1 else bool(self.sum(torch.tensor(int(flag), device=self.device)).item())

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in one message.

        Not DistributedDataParallel: cached gradients run the model twice, and heads that a text batch leaves without
        gradient do not fit its buckets.
        """
        if self.world == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        parts = torch.split(flat, [parameter.numel() for parameter in trained])
        for parameter, part in zip(trained, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.world > 1:
            torch.distributed.barrier()
