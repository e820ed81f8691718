package awstest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Call is one request that the server has understood.
type Call struct {
	Service   string
	Operation string
	Input     map[string]any
}

// handler carries out one operation.
type handler func(in map[string]any) (map[string]any, error)

// Server is an AWS region with its services under one address.
type Server struct {
	*httptest.Server
	t      testing.TB
	models map[string]*Model

	mu      sync.Mutex
	calls   []Call
	fails   map[string][]Fail
	loses   map[string]int
	callers map[string]Caller
	forward map[string]*httputil.ReverseProxy
	down    bool
	sims    map[string]map[string]handler

	EC2     *EC2
	RDS     *RDS
	FIS     *FIS
	Route53 *Route53
}

// Caller is who an access key belongs to.
type Caller struct {
	Account string
	ARN     string
}

// Account, Region and KeyID are those of the simulated region's usual caller.
const (
	Account = "111122223333"
	Region  = "us-west-2"
	KeyID   = "AKIABELAYTESTRUNNER0"
)

// New starts a server. The caller has made sure that the models are there (see ErrNoModels).
func New(t testing.TB, models Models) *Server {
	t.Helper()
	s := &Server{
		t: t, models: models, fails: map[string][]Fail{}, loses: map[string]int{}, forward: map[string]*httputil.ReverseProxy{}, sims: map[string]map[string]handler{},
		callers: map[string]Caller{KeyID: {Account, "arn:aws:iam::" + Account + ":user/runner"}},
	}
	s.EC2, s.RDS, s.FIS, s.Route53 = newEC2(), newRDS(), newFIS(), newRoute53()
	s.sims["ec2"], s.sims["rds"], s.sims["fis"], s.sims["route53"] = s.EC2.handlers(), s.RDS.handlers(), s.FIS.handlers(), s.Route53.handlers()
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// Models are the models of the services, by the name in a signature.
type Models map[string]*Model

// Load reads the models of all services that are simulated.
func Load() (Models, error) {
	out := Models{}
	for _, name := range []string{"ec2", "rds", "fis", "route53", "sts"} {
		m, err := loadModel(name)
		if err != nil {
			return nil, err
		}
		out[name] = m
	}
	return out, nil
}

// As lets an access key belong to a caller.
func (s *Server) As(keyID string, c Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers[keyID] = c
}

// Forward hands all requests of a service on to a real server.
func (s *Server) Forward(service, address string) {
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forward[service] = &httputil.ReverseProxy{
		// The host is part of the signature: it stays.
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host },
		ErrorLog: nil,
	}
}

// FailNext lets the next calls of an operation end with these errors, one each.
func (s *Server) FailNext(operation string, fails ...Fail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[operation] = append(s.fails[operation], fails...)
}

// LoseNext lets the answer to the next call of an operation be lost: it is carried out, and the connection ends.
func (s *Server) LoseNext(operation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loses[operation]++
}

// lost says whether the answer to a call that was carried out is to be lost.
func (s *Server) lost(operation string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loses[operation] == 0 {
		return false
	}
	s.loses[operation]--
	return true
}

// Down lets the server answer nothing but 503, or work again.
func (s *Server) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Calls are the calls of an operation so far.
func (s *Server) Calls(operation string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c Call) bool { return c.Operation != operation })
}

// scope takes access key, region and service out of a signature.
var scope = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request`)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	found := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		http.Error(w, "unsigned", http.StatusForbidden)
		return
	}
	key, service := found[1], found[3]
	s.mu.Lock()
	proxy, down := s.forward[service], s.down
	s.mu.Unlock()
	switch m := s.models[service]; {
	case down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case proxy != nil:
		proxy.ServeHTTP(w, r)
	case m == nil:
		http.Error(w, "no such service: "+service, http.StatusNotFound)
	default:
		s.call(w, r, m, service, key)
	}
}

// call decodes one request, carries it out and encodes the answer, all by the model.
func (s *Server) call(w http.ResponseWriter, r *http.Request, m *Model, service, key string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	op, in, err := m.decode(r, body)
	if err != nil {
		s.wrong(w, "%s: %v", service, err)
		return
	}
	out, err := s.carryOut(service, op, in, key)
	if in["DryRun"] != true && s.lost(op.Name) {
		panic(http.ErrAbortHandler)
	}
	var f Fail
	var header http.Header
	status := max(op.HTTP.Code, http.StatusOK)
	switch {
	case errors.As(err, &f):
		var code string
		if status, code, err = m.errorStatus(op, f); err != nil {
			s.wrong(w, "%s: %v", service, err)
			return
		}
		header, body = m.encodeError(code, f.Message)
	case err != nil:
		s.wrong(w, "%s: %v", service, err)
		return
	default:
		if header, body, err = m.encode(op, out); err != nil {
			s.wrong(w, "%s: %v", service, err)
			return
		}
	}
	for k, v := range header {
		w.Header()[k] = v
	}
	if m.Metadata.Protocol == "rest-json" {
		w.Header().Set("Content-Type", "application/json")
	} else {
		w.Header().Set("Content-Type", "text/xml")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// wrong is what neither AWS nor its client may do: the test fails.
func (s *Server) wrong(w http.ResponseWriter, text string, args ...any) {
	s.t.Errorf("awstest: "+text, args...)
	http.Error(w, "not by the model", http.StatusNotImplemented)
}

// decode finds the operation of a request and reads its input.
func (m *Model) decode(r *http.Request, body []byte) (*Operation, map[string]any, error) {
	if p := m.Metadata.Protocol; p == "ec2" || p == "query" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, nil, err
		}
		op := m.Operations[form.Get("Action")]
		if op == nil {
			return nil, nil, errors.New("the model has no operation " + form.Get("Action"))
		}
		in, err := m.decodeForm(op, form)
		return op, in, err
	}
	op, values := m.route(r)
	if op == nil {
		return nil, nil, errors.New("the model has no operation for " + r.Method + " " + r.URL.Path)
	}
	in, err := m.decodeREST(op, r, body, values)
	return op, in, err
}

// carryOut answers with an error that was asked for, or asks the simulation.
func (s *Server) carryOut(service string, op *Operation, in map[string]any, key string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{service, op.Name, in})
	if queue := s.fails[op.Name]; len(queue) > 0 {
		s.fails[op.Name] = queue[1:]
		return nil, queue[0]
	}
	c, known := s.callers[key]
	if !known {
		return nil, fail("InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	if op.Name == "GetCallerIdentity" {
		return map[string]any{"Account": c.Account, "Arn": c.ARN, "UserId": "AIDA" + strings.Repeat("X", 12)}, nil
	}
	h := s.sims[service][op.Name]
	if h == nil {
		return nil, errors.New(op.Name + " is not simulated")
	}
	return h(in)
}
