//go:build !linux

package house

import "context"

// background runs a service as any other: only Linux gives threads a priority
// of their own.
func background(run func(ctx context.Context) error) func(ctx context.Context) error { return run }
