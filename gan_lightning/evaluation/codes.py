"""What the codes of an InfoGAN mean."""

from __future__ import annotations

from gan_lightning.data import MNIST, BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation.base import floats
from gan_lightning.evaluation.batching import tested
from gan_lightning.gans import InfoGAN
from gan_lightning.metrics import CodeAccuracy, CodeCorrelation, MutualInformationBound
from gan_lightning.types import Sample

__all__ = ["CodeEvaluator"]


class CodeEvaluator:
    """Measures how much of each code Q reads from generated data, and what the codes stand for.

    Args:
        gan: with the codes.
        data: what it was trained on; on digits continuous codes are held against slant and width.
    """

    def __init__(self, gan: InfoGAN, data: BaseDataModule) -> None:
        self._gan, self._data = gan, data
        sizes, continuous = gan.config.categorical_codes, gan.config.continuous_codes
        self._information = [MutualInformationBound(size).to(gan.device) for size in sizes]
        self._strokes = None
        if isinstance(data, MNIST) and continuous:
            groups = sizes[0] if len(sizes) == 1 else 1
            self._strokes = CodeCorrelation(continuous, groups).to(gan.device)

    def update(self, sample: Sample) -> None:
        """Take in generated data."""
        codes = sample.condition
        if codes.categorical is not None:
            recognised = self._gan.recognised(sample.data).categorical
            columns = codes.categorical.unbind(1)
            for bound, logits, code in zip(self._information, recognised, columns, strict=True):
                bound.update(logits.log_softmax(1), code)
        if self._strokes is not None:
            assert codes.continuous is not None
            groups = 0 * codes.continuous[:, 0].long()
            if codes.categorical is not None and self._strokes.groups > 1:
                groups = codes.categorical[:, 0]
            self._strokes.update(codes.continuous, groups, sample.data)

    def compute(self, share: Shard) -> dict[str, float]:
        """Return the bounds in nats, the accuracies on test data, and the correlations."""
        bounds = [bound.compute().item() for bound in self._information]
        found = {_name("mutual_information", i, len(bounds)): b for i, b in enumerate(bounds)}
        found |= self._accuracies(share)
        return {**found, **(floats(self._strokes) if self._strokes else {})}

    def _accuracies(self, share: Shard) -> dict[str, float]:
        sizes, classes = self._gan.config.categorical_codes, self._data.spec.classes
        if classes is None or not sizes:
            return {}
        accuracies = [CodeAccuracy(size, classes).to(self._gan.device) for size in sizes]
        for real in tested(self._data, self._gan.device, share):
            assert real.labels is not None
            logits = self._gan.recognised(real.data).categorical
            for accuracy, code in zip(accuracies, logits, strict=True):
                accuracy.update(code.argmax(1), real.labels)
        return {
            _name("accuracy", index, len(sizes)): accuracy.compute().item()
            for index, accuracy in enumerate(accuracies)
        }


def _name(measure: str, index: int, codes: int) -> str:
    """Name a measure of a code: code/accuracy, or code1/accuracy where there are several."""
    return f"code/{measure}" if codes == 1 else f"code{index + 1}/{measure}"
