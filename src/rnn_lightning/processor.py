"""What Linux says of the machine's processors; nothing elsewhere."""

from pathlib import Path


def of_each(key: str) -> list[str]:
    """What is said of each processor under ``key``, such as "model name", "vendor_id" or "flags"."""
    file = Path("/proc/cpuinfo")
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(key)]
