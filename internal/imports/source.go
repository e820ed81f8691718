package imports

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// CheckSource returns every breach of the house's habits in one Go file. The name is how the file is reported.
func CheckSource(name string, src []byte, isPure bool) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	s := &source{fset: fset, name: name, test: strings.HasSuffix(name, "_test.go"), pure: isPure}
	s.names(file)
	if lines := fset.File(file.Pos()).LineCount(); lines > maxLines && !s.test {
		s.report(file.Pos(), "%d lines, at most %d: a file is one idea", lines, maxLines)
	}
	ast.Inspect(file, s.node)
	return s.found, nil
}

type source struct {
	fset  *token.FileSet
	name  string
	test  bool
	pure  bool
	found []string
}

func (s *source) report(at token.Pos, format string, args ...any) {
	line := s.fset.Position(at).Line
	s.found = append(s.found, fmt.Sprintf("%s:%d: %s", s.name, line, fmt.Sprintf(format, args...)))
}

// names looks at the names of the package and the file.
func (s *source) names(file *ast.File) {
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(s.name), ".go"), "_test")
	for _, n := range []string{file.Name.Name, base} {
		if slices.Contains(emptyNames(), n) {
			s.report(file.Package, "%q says nothing: name it by what it holds", n)
		}
	}
}

func (s *source) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Name.Name == "init" && n.Recv == nil {
			s.report(n.Pos(), "no init(): wire it where it is used")
		}
	case *ast.CallExpr:
		s.call(n)
	}
	return true
}

// vague is how an error must not begin: it is an error already.
var vague = regexp.MustCompile(`^"(failed to|could not|unable to|error) `)

func (s *source) call(call *ast.CallExpr) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	on, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	name := sel.Sel.Name
	switch {
	case on.Name == "time" && clockCalls()[name] && s.pure && !s.test:
		s.report(call.Pos(), "time.%s in a pure package: take the time as a value", name)
	case s.test && len(on.Name) == 1 && strings.HasPrefix(name, "Skip"):
		s.report(call.Pos(), "%s.%s: a test that is skipped tests nothing", on.Name, name)
	case on.Name == "errors" && name == "New", on.Name == "fmt" && name == "Errorf":
		if text, ok := call.Args[0].(*ast.BasicLit); ok && vague.MatchString(text.Value) {
			s.report(call.Pos(), "%s: say what was done (`open ledger: %%w`), not that it failed", text.Value)
		}
	}
}
