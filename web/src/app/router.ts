import { createRouter, createWebHistory } from 'vue-router'

import { session } from './session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Seen without signing in. */
    open?: boolean
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: '/meetings' },
    {
      path: '/sign-in',
      name: 'sign-in',
      component: () => import('../pages/SignInPage.vue'),
      meta: { open: true },
    },
    { path: '/meetings', name: 'meetings', component: () => import('../pages/MeetingsPage.vue') },
    {
      path: '/meetings/:id/check',
      name: 'check',
      component: () => import('../pages/DeviceCheckPage.vue'),
      props: true,
    },
    {
      path: '/meetings/:id',
      name: 'meeting',
      component: () => import('../pages/MeetingPage.vue'),
      props: true,
    },
    { path: '/archive', name: 'archive', component: () => import('../pages/ArchivePage.vue') },
    {
      path: '/archive/:id',
      name: 'recording',
      component: () => import('../pages/RecordingPage.vue'),
      props: true,
    },
    { path: '/:rest(.*)*', redirect: '/meetings' },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  const me = await session.load().catch(() => null)
  return me ? true : { name: 'sign-in', query: { next: to.fullPath } }
})
