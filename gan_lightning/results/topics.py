"""The topics of the lecture in its order: title, idea, equations and experiments of each."""

from __future__ import annotations

from gan_lightning.results.later_topics import LATER_TOPICS
from gan_lightning.results.lecture_topics import LECTURE_TOPICS
from gan_lightning.results.topic import Topic

__all__ = ["TOPICS", "Topic", "topic_of"]

TOPICS: tuple[Topic, ...] = (*LECTURE_TOPICS, *LATER_TOPICS)
"""All topics, in the order of the lecture."""


def topic_of(experiment: str) -> Topic | None:
    """Return the topic of an experiment; None for an experiment outside the lecture."""
    return next((topic for topic in TOPICS if experiment in topic.experiments), None)
