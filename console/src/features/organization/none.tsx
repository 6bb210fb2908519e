import { Commands } from "@/ui/copy";
import { Empty } from "@/ui/notes";

export function NoOrganization() {
  return (
    <div className="mx-auto mt-12 w-full max-w-xl">
      <Empty icon="user" title="You belong to no organization yet" action={<Commands lines={["slipway up"]} className="text-left" />}>
        Ask somebody to invite you, or start a platform of your own: it makes an organization, a cluster and a demo.
      </Empty>
    </div>
  );
}
