package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/belay-dr/belay/fault"
)

// Route53 is a fault in DNS: exactly one of record and health_check.
type Route53 struct {
	Record      *Record      `yaml:"record,omitempty" json:"record,omitempty"`
	HealthCheck *HealthCheck `yaml:"health_check,omitempty" json:"health_check,omitempty"`
}

// Record says which record gets what: exactly one of values and weight.
type Record struct {
	// Zone is the ID of the hosted zone.
	Zone string `yaml:"zone" json:"zone"`
	Name string `yaml:"name" json:"name"`
	Type string `yaml:"type" json:"type"`
	// ID is the set identifier of one among several records of this name and type.
	ID string `yaml:"id,omitempty" json:"id,omitempty"`
	// Values replace the record's own.
	Values []string `yaml:"values,omitempty" json:"values,omitempty"`
	// Weight replaces the weight of a weighted record.
	Weight *int64 `yaml:"weight,omitempty" json:"weight,omitempty"`
}

// HealthCheck says which health check is disabled, which makes it healthy for ever, or inverted: one of the two.
type HealthCheck struct {
	Disable string `yaml:"disable,omitempty" json:"disable,omitempty"`
	Invert  string `yaml:"invert,omitempty" json:"invert,omitempty"`
}

const (
	zoneID  pattern = `^Z[0-9A-Z]{1,31}$`
	checkID pattern = `^[0-9a-fA-F-]{1,64}$`
)

func (r *Route53) check() map[string]string {
	switch {
	case (r.Record == nil) == (r.HealthCheck == nil):
		return map[string]string{"route53": "give exactly one of record and health_check"}
	case r.Record != nil:
		return below("route53.record", r.Record.check())
	}
	h := r.HealthCheck
	if (h.Disable == "") == (h.Invert == "") {
		return map[string]string{"route53.health_check": "give exactly one of disable and invert"}
	}
	if !checkID.matches(h.Disable + h.Invert) {
		return map[string]string{"route53.health_check": fmt.Sprintf("%q is no ID of a health check", h.Disable+h.Invert)}
	}
	return nil
}

func (r *Record) check() map[string]string {
	switch {
	case !zoneID.matches(r.Zone):
		return map[string]string{"zone": "must be the ID of a hosted zone, such as Z0123456789ABC"}
	case r.Name == "":
		return map[string]string{"name": "is missing"}
	case !slices.Contains(types.RRType("").Values(), types.RRType(r.Type)):
		return map[string]string{"type": "must be a type of record, such as A or CNAME"}
	case r.Type == "NS" || r.Type == "SOA":
		return map[string]string{"type": "NS and SOA hold the zone itself: they are never changed"}
	case (len(r.Values) == 0) == (r.Weight == nil):
		return map[string]string{"": "give exactly one of values and weight"}
	case r.Weight != nil && (*r.Weight < 0 || *r.Weight > 255):
		return map[string]string{"weight": "must be from 0 to 255"}
	case r.Weight != nil && r.ID == "":
		return map[string]string{"id": "is missing: a weighted record has a set identifier"}
	}
	return nil
}

func (r *Route53) target(s *site) fault.Target {
	if r.Record != nil {
		return record{s, r.Record}
	}
	return healthCheck{s, r.HealthCheck}
}

// zoneTags reads the tags of a hosted zone or a health check.
func zoneTags(ctx context.Context, c *route53.Client, kind types.TagResourceType, id string) ([]types.Tag, error) {
	got, err := c.ListTagsForResource(ctx, &route53.ListTagsForResourceInput{ResourceType: kind, ResourceId: &id})
	if err != nil {
		return nil, explain("look at tags", err)
	}
	return got.ResourceTagSet.Tags, nil
}

// zoneMarks refuses what another fault holds, and says by what the zone or health check is known to be production's. Of a
// zone, only the records that about says count as held.
func zoneMarks(ctx context.Context, c *route53.Client, kind types.TagResourceType, id, ours, about string) (production string, err error) {
	list, err := zoneTags(ctx, c, kind, id)
	if err != nil {
		return "", err
	}
	tags := map[string]string{}
	for _, t := range list {
		if value := sdk.ToString(t.Value); about == "" || !strings.HasPrefix(sdk.ToString(t.Key), markKey("")) || strings.Contains(value, " "+about+" ") {
			tags[sdk.ToString(t.Key)] = value
		}
	}
	called := string(kind) + " " + id
	if mark := fault.ProductionMark(tags); mark != "" {
		production = called + " has the tag " + mark
	}
	return production, free(called, ours, tags)
}

func markZone(ctx context.Context, c *route53.Client, kind types.TagResourceType, id, key, value string) error {
	_, err := c.ChangeTagsForResource(ctx, &route53.ChangeTagsForResourceInput{
		ResourceType: kind, ResourceId: &id, AddTags: []types.Tag{{Key: &key, Value: &value}},
	})
	if err != nil {
		return explain("tag "+id, err)
	}
	return nil
}

// unmarkZone takes the tag off. What is gone has none.
func unmarkZone(ctx context.Context, c *route53.Client, kind types.TagResourceType, id, key string) error {
	there, err := marked(ctx, c, kind, id, key)
	if err != nil || !there {
		return err
	}
	_, err = c.ChangeTagsForResource(ctx, &route53.ChangeTagsForResourceInput{ResourceType: kind, ResourceId: &id, RemoveTagKeys: []string{key}})
	if err != nil {
		return explain("untag "+id, err)
	}
	return nil
}

// marked says whether the tag is there.
func marked(ctx context.Context, c *route53.Client, kind types.TagResourceType, id, key string) (bool, error) {
	tags, err := zoneTags(ctx, c, kind, id)
	if is(err, "NoSuchHealthCheck", "NoSuchHostedZone") {
		return false, nil
	}
	return slices.ContainsFunc(tags, func(t types.Tag) bool { return sdk.ToString(t.Key) == key }), err
}

// shortOrDigest is a text for a tag: itself, or its digest when it is too long. The journal has all of it.
func shortOrDigest(text string) string {
	if len(text) <= 150 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// dotted is a name as Route 53 writes it, apart from its escapes.
func dotted(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }
