package it

import (
	"io/fs"
	"slices"
	"testing"
)

func TestThePackHoldsItsThreeFiles(t *testing.T) {
	names, err := fs.Glob(Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"calendar.yaml", "catalogue.yaml", "parameters.yaml"}; !slices.Equal(names, want) {
		t.Errorf("files = %v, want %v", names, want)
	}
}
