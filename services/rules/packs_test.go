package rules_test

import (
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
)

func loadPacks(t testing.TB) *rules.Packs {
	t.Helper()
	p, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacksAreNamedByTheLatestChange(t *testing.T) {
	packs := loadPacks(t)
	for at, want := range map[string]string{
		"2012-05-01T10:00:00Z": "it/initial",
		"2022-07-26T21:59:59Z": "it/2018-05",
		"2022-07-26T22:00:00Z": "it/2022-07",
		"2026-03-05T10:00:00Z": "it/2025-11",
		"2026-06-18T22:00:00Z": "it/2026-06",
	} {
		i, err := events.ParseInstant(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := packs.At(i).Name; got != want {
			t.Errorf("pack at %s = %s, want %s", at, got, want)
		}
	}
}
