package aws

import (
	"bytes"
	"context"
	"io"
	"os"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// assetTag is where an instance of today's generations says its ID to everybody on it.
const assetTag = "/sys/devices/virtual/dmi/id/board_asset_tag"

const instanceID pattern = `^i-[0-9a-f]{8,17}$`

// self are the IDs that the instance may have which this program runs on: the one the hardware says, the one in the name of
// a session of an instance role, and the one of the metadata service where that was set up by
// AWS_EC2_METADATA_SERVICE_ENDPOINT.
func (s *site) self(ctx context.Context) []string {
	var out []string
	if b, err := os.ReadFile(assetTag); err == nil {
		out = append(out, string(bytes.TrimSpace(b)))
	}
	out = append(out, path.Base(s.caller))
	if os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != "" && s.cfg != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if answer, err := imds.NewFromConfig(*s.cfg).GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"}); err == nil {
			b, _ := io.ReadAll(io.LimitReader(answer.Content, 100))
			_ = answer.Content.Close()
			out = append(out, string(bytes.TrimSpace(b)))
		}
	}
	var ids []string
	for _, id := range out {
		if instanceID.matches(id) {
			ids = append(ids, id)
		}
	}
	return ids
}
