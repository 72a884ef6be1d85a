import numpy as np
import torch

from unmirage.data.sample import STEP, finalized, shifted

# The first outputs at seed 1234567 of the public-domain C code by Vigna.
PUBLISHED = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]


def test_numpy_and_torch_give_the_published_numbers():
    counters = [1234567 + STEP * (place + 1) for place in range(5)]
    counters = [(number + 2**63) % 2**64 - 2**63 for number in counters]
    found = finalized(np.array(counters))
    assert found.view(np.uint64).tolist() == PUBLISHED
    assert finalized(torch.tensor(counters)).tolist() == found.tolist()


def test_shifting_fills_with_zeros():
    assert shifted(np.array([-1, 8]), 1).tolist() == [2**63 - 1, 4]
    assert shifted(torch.tensor([-1, 8]), 1).tolist() == [2**63 - 1, 4]
