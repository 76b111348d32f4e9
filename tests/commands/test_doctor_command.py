"""`brickgate doctor`: its exit code says whether the machine has what it needs."""


def test_a_machine_that_has_what_it_asks_for(brickgate, machine):
    result = brickgate("doctor", "--config", machine)
    assert (result.code, result.err) == (0, "")
    assert "machine.yaml says frames" in result.out


def test_a_machine_that_lacks_what_it_asks_for(brickgate, machine):
    machine.with_name("bins.yaml").unlink()
    result = brickgate("doctor", "--config", machine)
    assert (result.code, result.err) == (1, "")
    assert "bins.yaml missing" in result.out.replace("\n", " ")
