"""Distillation: what the student begins with, and what it is drawn towards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from model_artifacts.pipeline.distil import Teacher
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.recipe import DistilRecipe

if TYPE_CHECKING:
    from pathlib import Path


def a_recipe(**changes: object) -> DistilRecipe:
    return DistilRecipe.model_validate(
        {"teacher": "genre-bert-1.0.0", "teacher_layers": 2, "start_layers": [1], **changes}
    )


def test_the_student_begins_with_the_chosen_layers() -> None:
    own = GenreNetwork(2)
    student = GenreNetwork(1)

    Teacher(own, a_recipe()).start(student)

    torch.testing.assert_close(student.layers[0].state_dict(), own.layers[1].state_dict())
    torch.testing.assert_close(student.classifier.weight, own.classifier.weight)
    torch.testing.assert_close(student.word_embeddings.weight, own.word_embeddings.weight)


def test_a_teacher_gets_no_gradient() -> None:
    teacher = Teacher(GenreNetwork(2), a_recipe())

    answer = teacher.logits(torch.tensor([[101, 2000, 102]]), torch.ones(1, 3, dtype=torch.int64))

    assert not answer.requires_grad
    assert answer.dtype == torch.float32


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_target_blends_teacher_and_labels_and_is_the_teachers_where_the_label_is_unknown(
    share: float,
) -> None:
    teacher = Teacher(GenreNetwork(2), a_recipe(soft_share=share))
    logits, soft = torch.tensor([[0.5, -1.0]]), torch.tensor([[2.0, 3.0]])
    labels, known = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])

    loss = teacher.loss(logits, soft, labels, known)

    target = torch.tensor([[share * torch.sigmoid(soft)[0, 0] + (1 - share), torch.sigmoid(soft)[0, 1]]])
    torch.testing.assert_close(loss, functional.binary_cross_entropy_with_logits(logits, target))


def test_a_share_of_nothing_leaves_the_weights_to_begin_with() -> None:
    assert not Teacher(GenreNetwork(2), a_recipe(soft_share=0)).answers
    assert Teacher(GenreNetwork(2), a_recipe(soft_share=0.1)).answers


def test_weights_that_are_missing_or_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"weights\.pt are missing: train genre-bert-1\.0\.0 first"):
        Teacher.load(tmp_path / "weights.pt", a_recipe())
    torch.save(GenreNetwork(1).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(StepError, match="does not hold a network of 2 layers"):
        Teacher.load(tmp_path / "weights.pt", a_recipe())
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(StepError, match=r"is missing or damaged .*: train genre-bert-1\.0\.0 first"):
        Teacher.load(tmp_path / "weights.pt", a_recipe())
