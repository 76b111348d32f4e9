"""The mean of two checkpoints of one network."""

import pytest
import torch

from edge.errors import BrickgateError, InputError
from quantization.commands.training import average
from quantization.train.averaging import mean_network
from quantization.train.kinds import make_network
from quantization.train.start import load_start

FAMILIES = ["3001", "3024", "4740"]


def saved(path, value, families=FAMILIES, width=0.35):
    network = make_network("mobilenet-v2", len(families), width)
    average = {k: torch.full_like(v, value) if v.is_floating_point() else v for k, v in network.state_dict().items()}
    torch.save({"average": average, "recipe": {"families": families, "kind": "mobilenet-v2", "width": width}}, path)
    return path


def test_every_weight_is_the_mean_and_can_be_started_from(tmp_path):
    files = [saved(tmp_path / f"{value}.pt", value) for value in (1.0, 2.0, 6.0)]
    torch.save(mean_network(files), tmp_path / "mean.pt")
    network = make_network("mobilenet-v2", 3, 0.35)
    assert load_start(network, tmp_path / "mean.pt", FAMILIES)
    assert {float(value.detach().min()) for value in network.parameters()} == {3.0}
    assert {float(value.detach().max()) for value in network.parameters()} == {3.0}


def test_half_precision_is_no_loss(tmp_path):
    file = saved(tmp_path / "a.pt", 1.0)
    state = torch.load(file, weights_only=True)
    state["average"] = {name: value.half() for name, value in state["average"].items()}
    torch.save(state, tmp_path / "half.pt")
    mean = mean_network([file, tmp_path / "half.pt"])["average"]
    assert mean["classifier.1.bias"].dtype == torch.float32


def test_what_cannot_be_averaged_is_named(tmp_path):
    first = saved(tmp_path / "a.pt", 1.0)
    other = saved(tmp_path / "b.pt", 1.0, ["3001", "3024", "3005"])
    with pytest.raises(InputError, match=r"b\.pt knows other families than .*a\.pt: it "):
        mean_network([first, other])
    with pytest.raises(InputError, match=r"c\.pt is of another network than .*a\.pt: average those of one kind"):
        mean_network([first, saved(tmp_path / "c.pt", 1.0, width=0.5)])
    (tmp_path / "d.pt").write_text("nothing")
    for bad, why in (("d.pt", "damaged, or of another kind"), ("e.pt", "No such file")):
        with pytest.raises(InputError, match=rf"{bad} cannot be averaged \({why}.*\): give checkpoints that name"):
            mean_network([first, tmp_path / bad])
    torch.save([1], tmp_path / "f.pt")
    with pytest.raises(InputError, match=r"f\.pt cannot be averaged"):
        mean_network([first, tmp_path / "f.pt"])


def test_the_command_writes_what_can_be_started_from_and_wants_two(tmp_path, capsys):
    first, second, out = saved(tmp_path / "a.pt", 1.0), saved(tmp_path / "b.pt", 3.0), tmp_path / "mean.pt"
    with pytest.raises(BrickgateError, match="one checkpoint has no mean: give two or more"):
        average([first], out)
    assert not out.exists()
    average([first, second], out)
    assert capsys.readouterr().out == f"{out}: the mean of 2; train --weights {out} goes on from it\n"
    assert load_start(make_network("mobilenet-v2", 3, 0.35), out, FAMILIES)
