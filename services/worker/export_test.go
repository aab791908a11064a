package worker

// BatchOf shows tests what a Watermill message carries.
var BatchOf = batchOf
