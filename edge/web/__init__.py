"""The status page: what the machine is doing, for whoever stands beside it with a phone. It can change nothing."""
