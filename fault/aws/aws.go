package aws

import (
	"net/url"

	"github.com/belay-dr/belay/fault"
)

// AWS is the config of a fault in an AWS account: where, and exactly one of ec2, rds, fis, s3 and route53.
type AWS struct {
	// Account is the account that the credentials must belong to. It is asked for each time before anything is done.
	Account string `yaml:"account" json:"account"`
	// Region is where the target is. Route 53 has none: it may be left out there.
	Region string `yaml:"region,omitempty" json:"region,omitempty"`
	// Profile is one of the shared AWS config; the usual chain of credentials applies without it.
	Profile string `yaml:"profile,omitempty" json:"profile,omitempty"`
	// Endpoint is the address of the API where it is not that of AWS. AWS_ENDPOINT_URL says the same.
	Endpoint string `yaml:"endpoint,omitempty" json:"endpoint,omitempty"`

	EC2     *EC2     `yaml:"ec2,omitempty" json:"ec2,omitempty"`
	RDS     *RDS     `yaml:"rds,omitempty" json:"rds,omitempty"`
	FIS     *FIS     `yaml:"fis,omitempty" json:"fis,omitempty"`
	S3      *S3      `yaml:"s3,omitempty" json:"s3,omitempty"`
	Route53 *Route53 `yaml:"route53,omitempty" json:"route53,omitempty"`
}

// CheckConfig says what is wrong.
func (a *AWS) CheckConfig() map[string]string {
	if !accounts.matches(a.Account) {
		return map[string]string{"account": "must be the account's twelve digits, in quotes"}
	}
	if wrong := checkEndpoint(a.Endpoint); wrong != "" {
		return map[string]string{"endpoint": wrong}
	}
	parts := a.parts()
	if len(parts) != 1 {
		return map[string]string{"": "give exactly one of ec2, rds, fis, s3 and route53"}
	}
	if a.Region == "" && a.Route53 == nil {
		return map[string]string{"region": "is missing"}
	}
	return parts[0].check()
}

// part is the part of the config that belongs to one service.
type part interface {
	check() map[string]string
	target(*site) fault.Target
}

func (a *AWS) parts() []part {
	var out []part
	if a.EC2 != nil {
		out = append(out, a.EC2)
	}
	if a.RDS != nil {
		out = append(out, a.RDS)
	}
	if a.FIS != nil {
		out = append(out, a.FIS)
	}
	if a.S3 != nil {
		out = append(out, a.S3)
	}
	if a.Route53 != nil {
		out = append(out, a.Route53)
	}
	return out
}

// Target is the target of a config that has nothing wrong.
func (a *AWS) Target() fault.Target {
	s := &site{Account: a.Account, Region: a.Region, Profile: a.Profile, Endpoint: a.Endpoint}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	return a.parts()[0].target(s)
}

const accounts pattern = `^\d{12}$`

// checkEndpoint refuses what is no address, and what holds a secret that would end up in records.
func checkEndpoint(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "must be an address such as https://localhost:4566"
	case u.User != nil || u.RawQuery != "":
		return "must hold no user, password or query"
	}
	return ""
}

// below returns the wrong keys with a prefix.
func below(prefix string, wrong map[string]string) map[string]string {
	if len(wrong) == 0 {
		return nil
	}
	out := map[string]string{}
	for k, v := range wrong {
		if k == "" {
			out[prefix] = v
		} else {
			out[prefix+"."+k] = v
		}
	}
	return out
}
