package scenario

import (
	"bytes"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// parseYAML reads the first document of a YAML file with every alias replaced by
// what its anchor names: parts of the tree are decoded one by one, and a part
// knows nothing of anchors outside. nil: the file is empty.
func parseYAML(text []byte) (ast.Node, error) {
	file, err := parser.ParseBytes(bytes.TrimPrefix(text, []byte("\uFEFF")), 0) // a byte order mark may stand first
	if err != nil {
		return nil, err
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	a := anchors{}
	return a.resolve(file.Docs[0].Body)
}

// anchors are the nodes that anchors have named so far; a name may be given
// again further down.
type anchors map[string]ast.Node

// resolve returns the node, changed in place, without anchors and aliases.
func (a anchors) resolve(n ast.Node) (ast.Node, error) {
	var err error
	switch n := n.(type) {
	case *ast.AnchorNode:
		value, err := a.resolve(n.Value)
		a[n.Name.String()] = value
		return value, err
	case *ast.AliasNode:
		if named, ok := a[n.Value.String()]; ok {
			return named, nil
		}
		return nil, &anchorError{n.Value.String(), firstLine(n)}
	case *ast.MappingNode:
		for _, v := range n.Values {
			if v.Value, err = a.resolve(v.Value); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		if n.Value, err = a.resolve(n.Value); err != nil {
			return nil, err
		}
	case *ast.SequenceNode:
		for i := range n.Values {
			if n.Values[i], err = a.resolve(n.Values[i]); err != nil {
				return nil, err
			}
		}
	case *ast.TagNode:
		if n.Value, err = a.resolve(n.Value); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// anchorError is an alias without an anchor before it.
type anchorError struct {
	name string
	line int
}

// Error implements error.
func (e *anchorError) Error() string {
	return fmt.Sprintf("no anchor &%s stands before *%s", e.name, e.name)
}
