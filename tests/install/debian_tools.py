"""What install.sh may call: the commands that any Debian has, and that are on the PATH of its tests."""

BARE = (
    *("awk", "basename", "bash", "cat", "chmod", "cp", "cut", "date", "df", "dirname", "env", "find", "flock"),
    *("grep", "mkdir", "mktemp", "mv", "readlink", "rm", "sha256sum", "stat", "tail"),
)
"""For the base and what comes with it."""
ON_DEVICE = (
    *BARE,
    *("cmp", "head", "ln", "sed", "sh", "sleep", "sort", "sync", "timeout", "touch", "tr", "uname", "xargs"),
)
"""For the machine's installation."""
