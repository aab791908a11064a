package events

import "testing"

func TestFeedSubjects(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{FeedSubject("A", FeedOpposition), "feed.A.opposition"},
		{FeedSubject("", FeedOrder), "feed._.order"},
		{FeedSubject("a.b", FeedList), "feed.a%2Eb.list"},
		{FeedFilters("a.b")[0], "feed.a%2Eb.*"},
		{FeedFilters("A")[1], "feed._.*"},
		{FeedSnapshotSubject("A"), "feedsnapshot.A"},
		{FeedAckSubject("A"), "feedack.A"},
		{DecideSubject("a.b"), "decide.a%2Eb"},
	} {
		if c.got != c.want {
			t.Errorf("subject %q, want %q", c.got, c.want)
		}
	}
	seen := map[FeedKind]bool{}
	for _, k := range FeedKinds {
		if seen[k] || SubjectToken(string(k)) != string(k) {
			t.Errorf("kind %q stands twice or is no token", k)
		}
		seen[k] = true
	}
}
