import { useMemo } from "react";

import { serviceLog } from "@/features/logs/store";
import { LogView } from "@/features/logs/view";
import { useService, useServicePlace } from "@/features/service/page";

export function ServiceLogs() {
  const { serviceId } = useServicePlace();
  const { service } = useService();
  const store = useMemo(() => serviceLog(serviceId), [serviceId]);
  return (
    <LogView
      store={store}
      name={`Logs of ${service?.name ?? "the service"}`}
      className="h-[calc(100dvh-15rem)] min-h-80"
      empty="No lines yet. What the service writes to its standard output and error appears here."
    />
  );
}
