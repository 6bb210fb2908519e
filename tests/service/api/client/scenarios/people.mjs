// Members, invitations, roles and tokens.
import { equal, eventually, ok, refused, scenario, unique } from '../play.mjs';

const roleOf = async (world, name) => {
  const roles = (await world.api.listOrganizationAvailableRoles(world.organizationId)).results;
  return roles.find((role) => role.name === name).id;
};

scenario('a member gets another role and is removed', async (world) => {
  const member = await world.person('viewer');
  const everybody = (await world.api.getOrganizationMembers(world.organizationId)).results;
  ok(everybody.some((one) => one.id === member.id && one.role_name === 'Viewer'));
  const role_id = await roleOf(world, 'DevOps');
  await world.api.editOrganizationMemberRole(world.organizationId, { user_id: member.id, role_id });
  const name = unique('by the member');
  await eventually(
    () => member.api.createProject(world.organizationId, { name }).catch(() => null),
    (project) => project?.name === name,
  );
  await world.api.deleteMember(world.organizationId, { user_id: member.id });
  await eventually(() => member.api.listProject(world.organizationId).then(() => 200, (no) => no.status), (was) => was === 404);
});

scenario('somebody is invited and accepts, another invitation is taken back', async (world) => {
  const owner = await world.person('owner');
  const guest = await world.person();
  const invitation = await owner.api.postInviteMember(world.organizationId, { email: guest.email, role: 'VIEWER' });
  const waiting = (await owner.api.getOrganizationInvitedMembers(world.organizationId)).results;
  ok(waiting.some((one) => one.id === invitation.id && one.invitation_status === 'PENDING'));
  equal((await guest.api.getMemberInvitation(world.organizationId, invitation.id)).email, guest.email);
  await guest.api.postAcceptInviteMember(world.organizationId, invitation.id);
  await eventually(() => guest.api.listOrganization(), (all) => all.results.some((one) => one.id === world.organizationId));
  const second = await owner.api.postInviteMember(world.organizationId, { email: `x-${guest.email}`, role: 'VIEWER' });
  await owner.api.deleteInviteMember(world.organizationId, second.id);
  const left = (await owner.api.getOrganizationInvitedMembers(world.organizationId)).results;
  ok(!left.some((one) => one.id === second.id));
});

scenario('an organization is handed over', async (world) => {
  const owner = await world.person();
  const organization = await owner.api.createOrganization({ name: unique('Handed'), plan: 'FREE' });
  const heir = await world.person('admin', organization.id);
  await eventually(() => owner.api.getOrganizationMembers(organization.id).catch(() => null), (all) => all?.results.length === 2);
  await owner.api.postOrganizationTransferOwnership(organization.id, { user_id: heir.id });
  const members = (await eventually(() => heir.api.getOrganizationMembers(organization.id).catch(() => null), Boolean)).results;
  equal(members.find((one) => one.id === heir.id).role_name, 'Owner');
});

scenario('a custom role is made, given rights and deleted', async (world) => {
  const project = await world.project();
  const { organizationId: id, api } = world;
  const role = await api.createOrganizationCustomRole(id, { name: unique('Testers'), description: 'of the shop' });
  const permissions = ['DEVELOPMENT', 'PREVIEW', 'STAGING', 'PRODUCTION'].map((environment_type) => (
    { environment_type, permission: environment_type === 'DEVELOPMENT' ? 'MANAGER' : 'VIEWER' }
  ));
  const stated = await api.editOrganizationCustomRole(id, role.id, {
    name: role.name,
    cluster_permissions: [{ cluster_id: world.clusterId, permission: 'ENV_CREATOR' }],
    project_permissions: [{ project_id: project.id, is_admin: false, permissions }],
  });
  equal(stated.project_permissions.find((one) => one.project_id === project.id).permissions.length, 4);
  equal((await api.getOrganizationCustomRole(id, role.id)).name, role.name);
  ok((await api.listOrganizationCustomRoles(id)).results.some((one) => one.id === role.id));
  await api.deleteOrganizationCustomRole(id, role.id);
  await refused(api.getOrganizationCustomRole(id, role.id), 404);
});

scenario('a token works until it is revoked, and never shows again', async (world) => {
  const { organizationId: id, api } = world;
  const made = await api.createOrganizationApiToken(id, { name: unique('ci'), role_id: await roleOf(world, 'Viewer') });
  const machine = world.machine(made.token);
  await eventually(() => machine.getOrganization(id).catch(() => null), (one) => one?.id === id);
  await refused(machine.createProject(id, { name: 'no' }), 403);
  const listed = await api.listOrganizationApiTokens(id);
  ok(listed.results.some((one) => one.id === made.id));
  ok(!JSON.stringify(listed).includes(made.token));
  await api.deleteOrganizationApiToken(id, made.id);
  await eventually(() => machine.getOrganization(id).then(() => 200, (no) => no.status), (status) => status === 401);
});
