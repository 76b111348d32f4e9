"""What the doctor looks for that runs the network: the chip that machine.yaml names, with its library."""

from __future__ import annotations

from edge.hardware.doctor_system import Check, System, listed
from edge.hardware.hailo import MODULE as HAILO_MODULE
from edge.hardware.tflite import EDGE_TPU_LIBRARY, RUNTIME_MODULES, RUNTIME_PACKAGES, Runtime

CORAL_USB_IDS = {"1a6e:089a": "not used yet since it got power", "18d1:9302": "in use before"}
"""vendor:product of a Coral: before and after its firmware was loaded, which the first use does."""


def runtimes(system: System) -> Check:
    """The runtime that machine.yaml names; without a machine.yaml, either."""
    usable: set[Runtime] = set()
    told: list[str] = []
    for runtime, module in RUNTIME_MODULES.items():
        distribution = RUNTIME_PACKAGES[runtime]
        trouble = system.trouble_importing(module)
        if trouble is None and runtime == "tflite-runtime" and not (system.version("numpy") or "").startswith("1."):
            trouble = "needs numpy < 2"
        if trouble is None:
            usable.add(runtime)
        if trouble != "not installed":
            told.append(f"{runtime} {trouble or system.version(distribution) or 'installed'}")
    wanted = system.machine.accelerator.runtime if system.machine else None
    ok = bool(usable) if wanted is None else wanted in usable
    advice = system.to_get(f"pip install {RUNTIME_PACKAGES[wanted or 'litert']}")
    if wanted is not None and usable and not ok:
        told.append(f"machine.yaml says {wanted}")
        advice += f", or set accelerator.runtime: {next(iter(usable))}"
    return Check("TFLite runtime", ok, ", ".join(told) or "none", advice, needed=True)


def coral(system: System) -> Check:
    """A Coral, on USB or PCIe."""
    found = ["PCIe (/dev/apex_0)"] if system.devices("apex_0") else []
    for device in sorted((system.root / "sys/bus/usb/devices").glob("*")):
        usb_id = f"{system.read(device / 'idVendor')}:{system.read(device / 'idProduct')}"
        if usb_id in CORAL_USB_IDS:
            found.append(f"USB {usb_id}, {CORAL_USB_IDS[usb_id]}")
    advice = "plug it in, into a blue USB 3 socket" if _is_wanted(system, "edgetpu") else ""
    return Check("Coral", bool(found), "; ".join(found) or "none", advice, _driver(system) == "edgetpu")


def edge_tpu_library(system: System) -> Check:
    """The Coral's library."""
    folders = ("usr/lib", "usr/lib/*", "usr/local/lib", "lib/*")
    found = [path for folder in folders for path in system.root.glob(f"{folder}/{EDGE_TPU_LIBRARY}")]
    detail = str(found[0]) if found else f"no {EDGE_TPU_LIBRARY}"
    wanted = _is_wanted(system, "edgetpu", plugged=coral(system).ok)
    advice = system.to_get("install Coral's package libedgetpu1-std") if wanted else ""
    return Check("Edge TPU library", bool(found), detail, advice, _driver(system) == "edgetpu")


def hailo(system: System) -> Check:
    """A Hailo's driver and its library; they come together."""
    device, trouble = system.devices("hailo0"), system.trouble_importing(HAILO_MODULE)
    detail = f"{listed(device)}; {HAILO_MODULE} {trouble or 'installed'}"
    wanted = _is_wanted(system, "hailo", plugged=bool(device))
    advice = f"{system.to_get('sudo apt install hailo-all')}, then reboot" if wanted else ""
    return Check("Hailo", bool(device) and trouble is None, detail, advice, _driver(system) == "hailo")


def accelerator(system: System) -> Check:
    """Whether what machine.yaml names is there. `auto` takes the CPU where nothing is: nothing is missing then."""
    name, driver = "accelerator", _driver(system)
    whole = {"hailo": bool(hailo(system).ok), "edgetpu": bool(coral(system).ok and edge_tpu_library(system).ok)}
    if driver in whole:
        said = "is there, with its library" if whole[driver] else "is not there, or without its library"
        return Check(name, whole[driver], f"machine.yaml says {driver}, which {said}", needed=True)
    if driver == "cpu":
        return Check(name, True, "machine.yaml says cpu")
    half = [kind for kind, plugged in (("edgetpu", coral(system).ok), ("hailo", system.devices("hailo0"))) if plugged]
    if lacking := [kind for kind in half if not whole[kind]]:
        return Check(name, False, f"{' and '.join(lacking)}: there, but without its library")
    there = " and ".join(kind for kind, ok in whole.items() if ok)
    if driver is None:
        return Check(name, True if there else None, there or "no machine.yaml that says what is wanted")
    return Check(name, True, f"machine.yaml says auto: {there or 'the CPU, for nothing else is there'}")


def _driver(system: System) -> str | None:
    return system.machine.accelerator.driver if system.machine else None


def _is_wanted(system: System, driver: str, plugged: bool | None = False) -> bool:
    """Whether there is any sense in getting what a driver needs: not where machine.yaml names another."""
    said = _driver(system)
    return said in (None, driver) or (said == "auto" and bool(plugged))
