// Command app is what runs in the containers of tests: a server on a unix socket, which is the tests' way in whatever
// becomes of the network, and on TCP port 80, for other containers.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/addresses", addresses)
	mux.HandleFunc("/get", get)
	if len(os.Args) > 1 {
		_ = os.Remove(os.Args[1])
		l, err := net.Listen("unix", os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(http.Serve(l, mux)) }()
	}
	go func() { log.Println(http.ListenAndServe(":80", mux)) }()
	<-stop
}

// addresses lists those of this container.
func addresses(w http.ResponseWriter, _ *http.Request) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, a := range all {
		fmt.Fprintln(w, a)
	}
}

// get asks another container, by a new connection, and says how long that took.
func get(w http.ResponseWriter, r *http.Request) {
	within, err := time.ParseDuration(r.FormValue("within"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	began := time.Now()
	c := http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get("http://" + r.FormValue("from") + "/")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer.Body.Close()
	fmt.Fprint(w, time.Since(began))
}
