package awstest

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
)

// parseScalar reads a value from the text that a protocol has for it.
func parseScalar(s *Shape, r *Ref, path, text string) (any, error) {
	var v any
	var err error
	switch s.Type {
	case "string", "character":
		return text, s.checkEnum(path, text)
	case "integer", "long":
		v, err = strconv.ParseInt(text, 10, 64)
	case "float", "double":
		v, err = strconv.ParseFloat(text, 64)
	case "boolean":
		v, err = strconv.ParseBool(text)
	case "blob":
		v, err = base64.StdEncoding.DecodeString(text)
	case "timestamp":
		if format(s, r, "iso8601") == "unixTimestamp" {
			var f float64
			f, err = strconv.ParseFloat(text, 64)
			v = time.UnixMilli(int64(math.Round(f * 1000))).UTC()
		} else {
			v, err = time.Parse(time.RFC3339, text)
		}
	default:
		return nil, fmt.Errorf("%s: the model says %s, and a single value was sent", path, s.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no %s", path, text, s.Type)
	}
	return v, nil
}

func format(s *Shape, r *Ref, usual string) string {
	switch {
	case r.TimestampFormat != "":
		return r.TimestampFormat
	case s.TimestampFormat != "":
		return s.TimestampFormat
	}
	return usual
}

// scalarText writes a value as text, or says that the simulation answers with what the model does not allow.
func scalarText(s *Shape, r *Ref, path string, v any) (string, error) {
	switch x := v.(type) {
	case string:
		if s.Type == "string" || s.Type == "character" {
			return x, s.checkEnum(path, x)
		}
	case int:
		if s.Type == "integer" || s.Type == "long" {
			return strconv.Itoa(x), nil
		}
	case int64:
		if s.Type == "integer" || s.Type == "long" {
			return strconv.FormatInt(x, 10), nil
		}
	case float64:
		if s.Type == "float" || s.Type == "double" {
			return strconv.FormatFloat(x, 'g', -1, 64), nil
		}
	case bool:
		if s.Type == "boolean" {
			return strconv.FormatBool(x), nil
		}
	case []byte:
		if s.Type == "blob" {
			return base64.StdEncoding.EncodeToString(x), nil
		}
	case time.Time:
		if s.Type != "timestamp" {
			break
		}
		if format(s, r, "iso8601") == "unixTimestamp" {
			return strconv.FormatFloat(float64(x.UnixMilli())/1000, 'f', 3, 64), nil
		}
		return x.UTC().Format("2006-01-02T15:04:05.000Z"), nil
	}
	return "", fmt.Errorf("%s: a %T where the model says %s", path, v, s.Type)
}
