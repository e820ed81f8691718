package render

import (
	_ "embed"
	"html/template"
	"strings"
	"sync"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// page is the parsed template. It is parsed when it is first used, not when the program starts.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(pageStyle) },
		// href lets through the links that this package makes itself; anything else is dropped.
		"href": func(link string) template.URL {
			for _, ok := range []string{"#", "tel:", "mailto:"} {
				if strings.HasPrefix(link, ok) {
					return template.URL(link)
				}
			}
			return "#"
		},
		"kind": strings.ToLower,
		"short": func(digest string) string {
			return digest[:min(len(digest), 19)]
		},
	}).Parse(pageText))
})
