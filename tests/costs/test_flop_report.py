from keras_mixvit.costs import flops
from keras_mixvit.models import MixViT
from tests.helpers import tiny_convit


def test_table_lists_stages_or_layers_and_what_subnetworks_cost():
    report = flops(MixViT(tiny_convit(), 5))
    lines = report.table().splitlines()
    assert lines[0].split()[:4] == ["stage", "multiply", "adds", "FLOPs"]
    assert [line.split()[0] for line in lines[1:7]] == [*report.stages, "total"]
    assert lines[6].split()[1] == f"{report.total.multiply_adds:,}"
    further = report.per_subnetwork.further.flops
    assert f"each further one: {further:,} " in report.table()
    assert f"Appendix A: {report.paper.multiply_adds:,} multiply-adds" in lines[-1]
    text = flops(MixViT(tiny_convit(), 5), training=True).table(by_layer=True)
    assert "body/block_0/mlp" in text
    assert "per mixed sample, forward." in text
    assert "by the convention of 3 times" in text
