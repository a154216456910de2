"""An Inception network that nobody has trained, in a file like the published one."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


def write_weights(path: Path) -> str:
    """Write random weights under which images look different, and return the file's SHA-256."""
    with torch.random.fork_rng([]), patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        torch.manual_seed(0)
        nothing = path.with_suffix(".nothing")
        torch.save({}, nothing)
        network = FeatureExtractorInceptionV3("random", ["2048"], str(nothing))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        nothing.unlink()
    # the published file is of torch's format before 1.6
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    return sha256(path.read_bytes()).hexdigest()
