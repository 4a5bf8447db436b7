"""Whole networks in PyTorch: BOO's backend of torch.compile beside its peers."""
