package awstest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
)

// Fail is an error that AWS would answer with. Its code must be one that the service knows.
type Fail struct {
	Code    string
	Message string
}

func (f Fail) Error() string { return f.Code + ": " + f.Message }

func fail(code, text string, args ...any) error { return Fail{code, fmt.Sprintf(text, args...)} }

// requestID is in every answer. It has no meaning.
const requestID = "00000000-0000-0000-0000-000000000000"

// encode writes the answer of an operation by its output shape.
func (m *Model) encode(op *Operation, out map[string]any) (header http.Header, body []byte, err error) {
	header = http.Header{}
	if op.Output == nil {
		if len(out) > 0 {
			return nil, nil, fmt.Errorf("%s: the model has no output", op.Name)
		}
		return header, m.empty(op), nil
	}
	s := m.shape(op.Output)
	if s.Payload != "" {
		return nil, nil, fmt.Errorf("%s: payload members are not written here", op.Name)
	}
	for name, r := range s.Members {
		if v, ok := out[name].(string); ok && r.Location == "header" {
			header.Set(r.LocationName, v)
		}
	}
	if m.Metadata.Protocol == "rest-json" {
		fields, err := m.objectToJSON(s, op.Name, orEmpty(out))
		if err != nil {
			return nil, nil, err
		}
		body, err = json.Marshal(fields)
		return header, body, err
	}
	w := &xmlWriter{Model: m}
	if err := w.members(s, op.Name, orEmpty(out)); err != nil {
		return nil, nil, err
	}
	return header, m.wrap(op, w.Bytes()), nil
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// empty is the answer of an operation without an output.
func (m *Model) empty(op *Operation) []byte {
	switch m.Metadata.Protocol {
	case "ec2", "query":
		return m.wrap(op, nil)
	}
	return nil
}

// wrap puts the protocol's elements around the members.
func (m *Model) wrap(op *Operation, members []byte) []byte {
	ns := fmt.Sprintf(" xmlns=%q", m.Metadata.XMLNamespace)
	switch m.Metadata.Protocol {
	case "ec2":
		return fmt.Appendf(nil, "<%sResponse%s><requestId>%s</requestId>%s</%[1]sResponse>", op.Name, ns, requestID, members)
	case "query":
		result := string(members)
		if op.Output != nil && op.Output.ResultWrapper != "" {
			result = fmt.Sprintf("<%s>%s</%[1]s>", op.Output.ResultWrapper, members)
		}
		return fmt.Appendf(nil, "<%sResponse%s>%s<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%[1]sResponse>", op.Name, ns, result, requestID)
	}
	if op.Input.XMLNamespace.URI != "" {
		ns = fmt.Sprintf(" xmlns=%q", op.Input.XMLNamespace.URI)
	} else {
		ns = ""
	}
	return fmt.Appendf(nil, "<%s%s>%s</%[1]s>", op.Output.Shape, ns, members)
}

// common are the errors that every service may answer with; the models do not list them per operation.
func common() []string {
	return []string{"Throttling", "RequestLimitExceeded", "ExpiredToken", "InvalidClientTokenId", "AccessDenied", "ServiceUnavailable"}
}

// errorStatus says with which status an error is answered, and its code on the wire. EC2 does not model its errors: there
// every code is allowed. The others may answer only with what the operation's model lists, or with a common error.
func (m *Model) errorStatus(op *Operation, f Fail) (status int, code string, err error) {
	if f.Code == "ServiceUnavailable" {
		return http.StatusServiceUnavailable, f.Code, nil
	}
	if slices.Contains(common(), f.Code) || m.Metadata.Protocol == "ec2" {
		return http.StatusBadRequest, f.Code, nil
	}
	for _, r := range op.Errors {
		if r.Shape != f.Code {
			continue
		}
		s := m.shape(&r)
		status, code = s.Error.HTTPStatusCode, s.Error.Code
		if status == 0 {
			status = http.StatusBadRequest
		}
		if code == "" {
			code = f.Code
		}
		return status, code, nil
	}
	return 0, "", fmt.Errorf("%s: the model has no error %s", op.Name, f.Code)
}

// encodeError writes an error as the protocol has it.
func (m *Model) encodeError(code, text string) (header http.Header, body []byte) {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	text = b.String()
	header = http.Header{}
	switch m.Metadata.Protocol {
	case "ec2":
		return header, fmt.Appendf(nil, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>", code, text, requestID)
	case "rest-json":
		header.Set("X-Amzn-Errortype", code)
		body, _ = json.Marshal(map[string]string{"message": text})
		return header, body
	}
	return header, fmt.Appendf(nil, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>", code, text, requestID)
}
