#!/usr/bin/env bash
# A plug-in for Belay that puts a web site into maintenance, and back.
#
# The web server answers 503 for as long as the file maintenance.html is in its root, as in this nginx configuration:
#
#     if (-f $document_root/maintenance.html) { return 503; }
#
# In a playbook:
#
#     fault: {plugin: {run: [examples/plugins/maintenance-page.sh], config: {root: /srv/www, url: "http://127.0.0.1/"}}}
#
# Bash and curl are needed, jq is not: the few keys are found by patterns, and a value with a quote or a backslash is
# refused. docs/writing-a-plugin.md describes what is read and written here.
set -euo pipefail

request=$(cat)

# text KEY is a value of the request; it is empty when there is none.
text() {
  if [[ $request =~ \"$1\":\"([^\"\\]*)\" ]]; then printf '%s' "${BASH_REMATCH[1]}"; fi
}

# answer: what the visitors get.
status() { curl --silent --max-time 2 --output /dev/null --write-out '%{http_code}' "$url" || true; }

refuse() { printf '{"refused": "%s"}\n' "$1"; exit; }

do=$(text do) id=$(text id) root=$(text root) url=$(text url)
page=$root/maintenance.html
mark="put here by Belay, fault $id"     # tells our page from anybody else's

ours() { [[ -f $page ]] && grep -qF "$mark" "$page"; }

case $do in
plan) # looks, and changes nothing
  [[ $root == /* && -d $root && -w $root ]] || refuse "config needs root: an absolute directory that we may write"
  [[ $url == http*://* ]] || refuse "config needs url: a page of the site"
  [[ ! -e $page ]] || refuse "$page is there already"
  before=$(status)
  [[ $before == 200 ]] || refuse "$url answers $before, not 200: a site that is down already cannot be seen to go"
  cat <<REPLY
{"target": "the web site in $root", "class": "restore", "fidelity": "process",
 "changes": ["put maintenance.html into $root"], "radius": ["every visitor of $url"], "claims": ["$page"]}
REPLY
  ;;
inject) # a rename is all or nothing
  printf '<!-- %s -->\n<h1>Back soon</h1>\n' "$mark" >"$page.new-$id"
  mv -f "$page.new-$id" "$page"
  echo '{}'
  ;;
confirm) # looks as a visitor does
  now=$(status)
  if [[ $now == 503 ]]; then echo "{\"seen\": \"$url answers 503\"}"; else echo '{"seen": ""}'; fi
  ;;
revert) # removes only what is ours; no harm when it is called again, or after half an injection
  rm -f "$page.new-$id"
  if ours; then
    rm -f "$page"
    echo '{}'
  elif [[ -e $page ]]; then
    echo "{\"superseded\": [\"somebody put another page at $page\"]}"
  elif [[ $request == *'"again":true'* ]]; then
    echo '{}' # an earlier revert has removed it
  else
    echo "{\"superseded\": [\"somebody removed $page\"]}"
  fi
  ;;
residue)
  if ours || [[ -e $page.new-$id ]]; then echo "{\"residue\": [\"$page\"]}"; else echo '{"residue": []}'; fi
  ;;
*)
  echo "{\"error\": \"unknown request\"}"
  ;;
esac
