// Package demo invents a call centre's day: the files that a CRM, two call
// centres, a list vendor and the register would deliver, and a manifest of the
// rule violations planted among them. It is input for demonstrations and
// tests and is linked into no service.
//
//	m, err := demo.Generate("day", demo.Options{})    // 20,000 contacts, Tuesday 17 November 2026
//	for _, f := range m.Files { … import f.Name with f.Mapping … }
//	missing, unexpected := demo.Compare(m, found)
//
// The same options give the same bytes. Names, numbers and companies are
// invented. Every call that is not planted is clean under every rule of
// rules.md; the manifest says exactly what a report must find, none more, none
// less. It does not cover LED-01 (how late an event was recorded), which
// depends on when the files are imported; what else is found of LED-* and
// AGT-* stands apart, in Manifest.Apart.
//
// The files are to be imported in the order of the manifest, one after the
// other: the later ones are the late uploads, the same events again, and the
// second variant of an identity.
package demo
