"""The scan on Spark: the stages and kernels of the local one, on partitions that send each other messages."""
