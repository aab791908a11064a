package gate

// Stats says how much the gate holds. Sizes are bytes.
type Stats struct {
	Contacts  int
	Records   int // memory of the contacts' records, tables and what was left behind included
	Filter    int // memory of the filter of identities
	Templates int // entries of the dictionary
	Full      int // contacts that are judged from their whole histories
}

// Stats counts. It holds up the writer for a moment.
func (g *Gate) Stats() Stats {
	g.mu.RLock()
	defer g.mu.RUnlock()
	s := Stats{Templates: len(g.templates), Full: len(g.full), Filter: int(g.filterBytes.Load())}
	for i := range g.shards {
		s.Contacts += g.shards[i].memory.contacts()
		s.Records += g.shards[i].memory.bytes()
	}
	return s
}
