package awstest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func models(t *testing.T) (Models, bool) {
	m, err := Load()
	if errors.Is(err, ErrNoModels) && os.Getenv("CI") != "true" {
		t.Logf("NOT TESTED: %v", err)
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, true
}

// What the model does not know is refused, in requests of each protocol.
func TestRequestsByTheModel(t *testing.T) {
	all, ok := models(t)
	if !ok {
		return
	}
	for _, c := range []struct{ service, method, path, body, want string }{
		{"ec2", "POST", "/", "Action=StopInstances&Version=2016-11-15&InstanceId.1=i-1", ""},
		{"ec2", "POST", "/", "Action=StopInstances&Version=2016-11-15&InstanceId.1=i-1&Nope=1", `StopInstances: the model has no parameter "Nope"`},
		{"ec2", "POST", "/", "Action=StopInstances&Version=2016-11-15", "StopInstances: InstanceIds is required"},
		{"ec2", "POST", "/", "Action=StopInstances&Version=2016-11-15&InstanceId.1=i-1&Force=perhaps", `StopInstances.Force: "perhaps" is no boolean`},
		{"ec2", "POST", "/", "Action=Nope&Version=2016-11-15", "the model has no operation Nope"},
		{"rds", "POST", "/", "Action=RebootDBInstance&Version=1", `version "1", and the model is 2014-10-31`},
		{"rds", "POST", "/", "Action=AddTagsToResource&Version=2014-10-31&ResourceName=x&Tags.Tag.1.Key=a&Tags.Tag.1.Value=b", ""},
		{"rds", "POST", "/", "Action=AddTagsToResource&Version=2014-10-31&ResourceName=x&Tags.member.1.Key=a", `AddTagsToResource: Tags is required`},
		{"fis", "POST", "/experiments", `{"clientToken":"x","experimentTemplateId":"EXT1"}`, ""},
		{"fis", "POST", "/experiments", `{"clientToken":"x","experimentTemplateId":"EXT1","nope":1}`, "StartExperiment: the model has no nope"},
		{"fis", "POST", "/experiments", `{"clientToken":7,"experimentTemplateId":"EXT1"}`, "StartExperiment.clientToken: a json.Number where the model says string"},
		{"fis", "GET", "/experiments/EXP1", "", ""},
		{"fis", "GET", "/experiments?nope=1", "", "ListExperiments: the model has no nope in the querystring"},
		{"fis", "PUT", "/nope", "", "the model has no operation for PUT /nope"},
		{"route53", "POST", "/2013-04-01/healthcheck/x", `<UpdateHealthCheckRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Inverted>true</Inverted></UpdateHealthCheckRequest>`, ""},
		{"route53", "POST", "/2013-04-01/healthcheck/x", `<UpdateHealthCheckRequest><Nope>true</Nope></UpdateHealthCheckRequest>`, "UpdateHealthCheck: the model has no Nope"},
		{"route53", "POST", "/2013-04-01/healthcheck/x", `<Nope/>`, "UpdateHealthCheck: the body is a Nope, and the model says UpdateHealthCheckRequest"},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		_, _, err := all[c.service].decode(r, []byte(c.body))
		if got := said(err); got != c.want {
			t.Errorf("%s %s %s\n got %s\nwant %s", c.service, c.path, c.body, got, c.want)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// And in answers: a simulation cannot invent a member, a type or a word.
func TestAnswersByTheModel(t *testing.T) {
	all, ok := models(t)
	if !ok {
		return
	}
	for _, c := range []struct {
		service, op string
		out         map[string]any
		want        string
	}{
		{"ec2", "StopInstances", map[string]any{"StoppingInstances": []any{map[string]any{"InstanceId": "i-1", "CurrentState": stateOf("stopping")}}}, ""},
		{"ec2", "StopInstances", map[string]any{"Nope": "x"}, "StopInstances: the model has no Nope"},
		{"ec2", "StopInstances", map[string]any{"StoppingInstances": "x"}, "StopInstances.StoppingInstances: a string where the model says list"},
		{"ec2", "StopInstances", map[string]any{"StoppingInstances": []any{map[string]any{"CurrentState": map[string]any{"Name": "asleep"}}}}, `StopInstances.StoppingInstances[0].CurrentState.Name: "asleep" is not one of [pending running shutting-down terminated stopping stopped]`},
		{"ec2", "CreateTags", map[string]any{"Nope": "x"}, "CreateTags: the model has no output"},
		{"route53", "GetChange", map[string]any{"ChangeInfo": map[string]any{"Id": "C1", "Status": "PENDING"}}, "GetChange.ChangeInfo: SubmittedAt is required"},
		{"route53", "GetChange", map[string]any{"ChangeInfo": map[string]any{"Id": "C1", "Status": "PENDING", "SubmittedAt": time.Now()}}, ""},
		{"fis", "GetExperiment", map[string]any{"experiment": map[string]any{"id": 7}}, "GetExperiment.experiment.id: a int where the model says string"},
	} {
		m := all[c.service]
		if _, _, err := m.encode(m.Operations[c.op], c.out); said(err) != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.op, err, c.want)
		}
	}
	m := all["fis"]
	if _, _, err := m.errorStatus(m.Operations["StartExperiment"], Fail{Code: "Nope"}); said(err) != "StartExperiment: the model has no error Nope" {
		t.Errorf("got %v", err)
	}
}

// Whatever a client sends, decoding ends with an answer.
func FuzzForm(f *testing.F) {
	all, err := Load()
	if err != nil {
		f.Logf("NOT TESTED: %v", err)
		return
	}
	f.Add("Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=a&Filter.1.Value.1=b")
	f.Add("Action=CreateTags&Version=2016-11-15&Tag.-1.Key=a")
	f.Fuzz(func(_ *testing.T, body string) {
		if _, err := url.ParseQuery(body); err == nil {
			_, _, _ = all["ec2"].decode(httptest.NewRequest(http.MethodPost, "/", nil), []byte(body))
		}
	})
}
