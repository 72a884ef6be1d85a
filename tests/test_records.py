from unmirage.records import Cluster, Sample


def test_a_sample_shares_its_group_else_its_picture_else_its_record():
    def cluster(**fields):
        return Sample(id="i", record="r", query="Why?", refused=True, label_source="field", **fields).cluster

    assert cluster(group="g", image="p.png") == Cluster("group", "g")
    assert cluster(image="p.png") == Cluster("picture", "p.png")
    assert cluster() == Cluster("record", "r")
    # One name of different things is not one cluster.
    assert cluster(group="r") != cluster()
